"""The named cases of what a shop must survive, each a test that begins with its name."""
