"""What tests of a whole, running shop have in common."""
