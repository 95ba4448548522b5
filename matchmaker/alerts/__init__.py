"""Messages to people: what they say, when they are due, and how they leave. Knows neither store nor peers."""
