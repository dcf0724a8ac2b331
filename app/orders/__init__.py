"""What the shop sells and what people have ordered. This room knows nothing of payments."""
