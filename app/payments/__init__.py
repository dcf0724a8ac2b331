"""Money coming in: attempts to collect, the evidence about them, and how they are settled."""
