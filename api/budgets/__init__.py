"""Budgets: limits on what calls of models may cost."""
