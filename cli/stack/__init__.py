"""A whole stack on one machine: real servers from wheels, as child processes.

`Stack` is for programs and tests; `cli.stack.launcher` is its face in a terminal.
"""

from cli.stack.errors import AlreadyRunning, PartFailed, PortTaken, StackError
from cli.stack.options import EVERYTHING, SERVERS, StackOptions
from cli.stack.stack import Stack

__all__ = [
    "EVERYTHING",
    "SERVERS",
    "AlreadyRunning",
    "PartFailed",
    "PortTaken",
    "Stack",
    "StackError",
    "StackOptions",
]
