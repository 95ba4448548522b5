"""Measured promises: each a command that prints its figures, its machine and its data versions."""
