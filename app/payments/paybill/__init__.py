"""Money that people send to the paybill of their own accord, under an order's reference."""
