"""What an asker can learn of a node over HTTP: `python -m benchmarks.privacy`, or `make privacy`."""
