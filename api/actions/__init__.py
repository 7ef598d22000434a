"""Answers to calls that wait for somebody outside: results of client tools, and approvals."""
