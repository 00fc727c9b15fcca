"""What clients may do to the server, and what it may cost."""
