"""What commands ask the API, and how they print its answers: as a table, a sentence, or JSON."""

import asyncio
import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from perdure.client import Perdure, Server
from perdure.client.shapes import Shape

T = TypeVar("T")

Columns = Mapping[str, Callable[[T], str]]
"""Headings, and what stands below them for a row."""


def asked(server: Server, ask: Callable[[Perdure], Awaitable[T]]) -> T:
    """What the API answers to one or several requests."""

    async def run() -> T:
        async with Perdure.of(server) as perdure:
            return await ask(perdure)

    return asyncio.run(run())


def show_rows(rows: Sequence[T], columns: Columns[T], *, as_json: bool = False) -> None:
    """Print rows as a table as wide as the terminal, or whole as JSON."""
    if as_json:
        show_json(rows)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print("\n".join(table(rows, columns, width)))


def show_one(answer: Shape | dict[str, Any], sentence: str, *, as_json: bool) -> None:
    """Print a sentence about an answer, or the answer as JSON."""
    if as_json:
        show_json(answer)
    else:
        print(sentence)


def show_json(answer: object) -> None:
    """Print an answer, or several, as JSON."""
    print(json.dumps(answer, default=_sent, ensure_ascii=False))


def table(rows: Sequence[T], columns: Columns[T], width: int | None = None) -> list[str]:
    """Rows as lines below a heading.

    Args:
        rows: The rows.
        columns: What to show of them.
        width: Lines are cut to this many characters.
    """
    cells = [list(columns), *([cell(row) for cell in columns.values()] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    lines = [
        "  ".join(cell.ljust(fill) for cell, fill in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return [line if not width or len(line) <= width else f"{line[: width - 1]}…" for line in lines]


def moment(at: datetime | None) -> str:
    """A time in the local time zone, to the minute."""
    return "never" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M")


def _sent(answer: object) -> dict[str, Any]:
    assert isinstance(answer, Shape)
    return answer.to_json()
