"""What a node keeps, as frozen values. Knows how nothing is stored."""
