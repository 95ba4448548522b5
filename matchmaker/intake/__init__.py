"""Files -> patients, with every error by file, position and path. Stores nothing."""
