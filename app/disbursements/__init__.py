"""Money out: refunds asked for and decided on."""
