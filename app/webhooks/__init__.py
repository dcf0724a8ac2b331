"""News for the owner's other programs: signed, kept until they are told, and shown."""
