"""Checks of providers: short workflows that touch no chat."""
