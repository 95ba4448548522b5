"""How alike two cases are. Pure and synchronous: profiles in, scores out."""
