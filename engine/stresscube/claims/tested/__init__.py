"""One module for each claim: its words, its runs, and how it is judged."""
