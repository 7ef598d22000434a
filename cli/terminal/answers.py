"""What `perdure users` and `perdure tokens` ask the API, and how they print it."""

import asyncio
import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from cli.errors import CommandError
from perdure.client import Perdure, Server
from perdure.client.shapes import Shape

T = TypeVar("T")


def asked(server: Server, ask: Callable[[Perdure], Awaitable[T]]) -> T:
    """What the API answers to one or several requests."""

    async def run() -> T:
        async with Perdure.of(server) as perdure:
            return await ask(perdure)

    return asyncio.run(run())


async def organization_id(perdure: Perdure, named: str | None) -> str:
    """The organization of this name or id; without one the caller's own.

    Raises:
        CommandError: The caller is in none, or in several.
    """
    if named is not None:
        return (await perdure.organizations.get(named)).id
    own = (await perdure.me()).organization_ids
    if len(own) != 1:
        raise CommandError("name the organization with --organization: you are in none, or in several.")
    return own[0]


def show(rows: Sequence[T], columns: dict[str, Callable[[T], str]]) -> None:
    """Print rows as a table; lines are cut to the width of a terminal."""
    cells = [list(columns), *([cell(row) for cell in columns.values()] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in cells:
        text = "  ".join(cell.ljust(fill) for cell, fill in zip(line, widths, strict=True)).rstrip()
        print(text if not width or len(text) <= width else f"{text[: width - 1]}…")


def show_json(answer: Shape | dict[str, Any] | Sequence[Shape] | Sequence[dict[str, Any]]) -> None:
    """Print an answer as JSON."""
    shown = _sent(answer) if isinstance(answer, Shape | dict) else [_sent(one) for one in answer]
    print(json.dumps(shown, ensure_ascii=False))


def _sent(answer: Shape | dict[str, Any]) -> dict[str, Any]:
    return answer.to_json() if isinstance(answer, Shape) else answer


def moment(at: datetime | None) -> str:
    """A time in the local time zone, to the minute."""
    return "never" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M")
