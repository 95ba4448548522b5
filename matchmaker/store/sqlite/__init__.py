"""The embedded store: one SQLite file, WAL, synchronous=FULL. adapter.py is the Store."""
