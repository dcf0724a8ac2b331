"""What the shop's rows say in sum. Nothing in here writes."""
