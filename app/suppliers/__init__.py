"""Suppliers: whom the shop pays, and under which number."""
