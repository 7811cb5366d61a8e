"""One training loop for every variant."""
