"""Decisions: deterministic, without I/O."""
