"""Doors: HTTP in, commands out; rows are read from Postgres, live parts from Redis."""
