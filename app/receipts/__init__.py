"""Receipts: what of an order's money came, what went back, on a page, as a PDF, by a link."""
