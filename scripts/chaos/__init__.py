"""Thousands of payments through bad weather, then the books beside the ledger: ``make chaos``."""
