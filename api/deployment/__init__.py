"""Settings of the whole deployment."""
