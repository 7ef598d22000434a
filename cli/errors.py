"""What ends a command with a sentence instead of a traceback."""


class CommandError(Exception):
    """The command cannot do what it was asked to. The message says why and what to do next."""
