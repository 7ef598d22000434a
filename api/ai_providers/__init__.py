"""Providers, for those who administer them; and users' own keys."""
