"""Commands of administrators: providers, models, master keys."""
