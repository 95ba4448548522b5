"""Runs that take longer than a test should: `make soak`, `make crash`. Tests run smaller ones of the same."""
