"""What Safaricom says moved, row by row, beside what our books say."""
