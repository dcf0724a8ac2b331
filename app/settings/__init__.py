"""Settings that a person may change in the running shop, kept in the database."""
