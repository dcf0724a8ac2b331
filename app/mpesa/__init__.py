"""Daraja's HTTP and words. This room knows neither Flask nor our tables."""
