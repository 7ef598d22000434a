"""What a part of the stack is: a declaration, with no process yet."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from cli.stack.privileges import AS_WE_ARE, Privileges

Probe = Callable[[], Awaitable[bool]]
"""Whether the part answers now. Returns False, and does not raise, while it does not."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program to start.

    Attributes:
        argv: Program and arguments.
        environment: Its whole environment.
        privileges: Under which account.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    privileges: Privileges = AS_WE_ARE


RunCommand = Callable[[Command], Awaitable[None]]
"""Runs a command to its end; raises `PartFailed` when it fails."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process of the stack.

    Attributes:
        name: Unique; also the name of its log.
        command: What to run.
        needs: Parts that must be ready (or, if they run once, done) before it is started.
        early: Start it at once all the same; it waits at its gate (`cli.stack.gate`) for what it needs.
        ready: Says when it can be used. None: as soon as it is started.
        ready_seconds: How long that may take.
        prepare: Done before each start, with the means to run further commands.
        once: It runs to its end, and is ready when it ended well.
        stop_signal: Asks it to stop.
        stop_seconds: How long it may take to obey.
    """

    name: str
    command: Command
    needs: tuple[str, ...] = ()
    early: bool = False
    ready: Probe | None = None
    ready_seconds: float = 30.0
    prepare: Callable[[RunCommand], Awaitable[None]] | None = None
    once: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
