"""What an owner has to know without looking for it: alerts that open, and close by themselves."""
