"""HPO as an immutable graph, and how much each of its terms tells. No I/O but reading its files."""
