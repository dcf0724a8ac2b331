"""The books: every movement of money as a transfer between two accounts."""
