"""One running node. Read service.py first."""
