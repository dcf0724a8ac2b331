"""Real PostgreSQL, Redis and Chromium for tests, on free ports and in throw-away folders."""
