"""How well published cases are ranked: `python -m benchmarks.quality`, or `make quality`."""
