"""Martin's story, told over two real nodes on real HTTP."""
