"""What every room may use and what uses no room: money, clock, errors, transactions."""
