"""How fast it is, beside bare references in the same run: ``make bench``."""
