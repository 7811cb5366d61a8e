"""Writing: the best language model of a corpus goes on from a prompt."""
