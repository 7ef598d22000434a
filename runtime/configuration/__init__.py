"""Configuration as this process knows it: read rarely, dropped the moment somebody changes it."""

from runtime.configuration.changes import Change, ChangeKind
from runtime.configuration.configuration import Configuration

__all__ = ["Change", "ChangeKind", "Configuration"]
