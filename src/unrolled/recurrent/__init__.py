"""The networks: cells, layers, variants. torch only."""
