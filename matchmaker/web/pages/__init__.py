"""What a node shows to people in a browser."""
