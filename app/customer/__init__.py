"""One's own pages about what other rooms keep: numbers, payments, courses, and one's data."""
