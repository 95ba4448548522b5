"""Other nodes, asked. A failure is a value: three answers and one timeout is a normal result."""
