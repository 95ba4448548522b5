"""What a node keeps on disk, behind one protocol."""
