"""How fast the index answers, and what it holds: `python -m benchmarks.index --cases N`, or `make bench`."""
