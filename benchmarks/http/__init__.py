"""How many /match requests a served node answers: `python -m benchmarks.http --cases N`."""
