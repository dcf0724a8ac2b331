"""One thin file for each document: words in, words out, no rule of its own."""
