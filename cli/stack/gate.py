"""Where our processes wait, their modules already imported, until what they need is ready.

Importing takes a process longer than initializing a database does. So the stack starts its own programs at
once, and holds them here: the gate is their standard input, and its end opens it.
"""

import os
import sys

CLOSED = "PERDURE_WAIT_AT_GATE"


def wait() -> None:
    """Wait until the launcher opens the gate; does nothing in a process that has none."""
    if os.environ.pop(CLOSED, None):
        sys.stdin.buffer.read()
