"""What the books hold, as files for a spreadsheet: streamed, harmless, and written down."""
