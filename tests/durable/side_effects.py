"""A worker with tools whose every effect is a line in a file, so that a test can count them.

Run as a program, it is an ordinary worker with these tools added.
"""

import os
from pathlib import Path

from pydantic import BaseModel, JsonValue

from activities.tools.attaching import attachment
from activities.tools.tool import Result, Tool, ToolContext, ToolError, WithFiles
from tests.durable.rows import until

DIRECTORY = "PERDURE_TEST_EFFECTS"


class EffectInput(BaseModel):
    """What to write, and whether to wait for the gate of that name before the end."""

    word: str
    waits: bool = True


async def _list(true: bool) -> list[bool]:
    return [True] if true else []


class Effects:
    """The file, and the gates beside it. Both sides of a test use it, each in its own process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, line: str) -> None:
        with (self._directory / "effects").open("a") as file:
            file.write(f"{line}\n")

    def all(self) -> list[str]:
        """All lines, in order."""
        path = self._directory / "effects"
        return path.read_text().splitlines() if path.exists() else []

    def lines(self, word: str) -> list[str]:
        """What was done for a word, in order."""
        return [line.split()[0] for line in self.all() if line.split()[1] == word]

    def open(self, word: str) -> None:
        (self._directory / f"{word}.gate").touch()

    async def opened(self, word: str) -> None:
        gate = self._directory / f"{word}.gate"
        await until(lambda: _list(gate.exists()), seconds=600)

    async def reached(self, word: str, *lines: str) -> None:
        """Wait until exactly these lines are written."""
        await until(lambda: _list(self.lines(word) == list(lines)))


def effect_tools(effects: Effects) -> list[Tool[EffectInput]]:
    """`once`, which may not run twice; `again`, which may; `found`, which outlives its worker and can be
    found again; and some that break rules."""

    async def run(arguments: EffectInput, context: ToolContext) -> JsonValue:
        effects.write(f"began {arguments.word}")
        if arguments.waits:
            await effects.opened(arguments.word)
        effects.write(f"done {arguments.word}")
        return {"done": arguments.word}

    async def recover(arguments: EffectInput, context: ToolContext) -> JsonValue:
        effects.write(f"found {arguments.word}")
        await effects.opened(arguments.word)
        return {"found": arguments.word}

    async def cancel(arguments: EffectInput, context: ToolContext) -> None:
        effects.write(f"cancelled {arguments.word}")

    async def fail(arguments: EffectInput, context: ToolContext) -> JsonValue:
        raise ToolError("not today")

    async def breaks(arguments: EffectInput, context: ToolContext) -> JsonValue:
        raise RuntimeError("boom")

    async def garbled(arguments: EffectInput, context: ToolContext) -> JsonValue:
        return {"half \ud83d": ["\ude00 of a pair", arguments.word]}

    async def attach(arguments: EffectInput, context: ToolContext) -> Result:
        effects.write(f"drew {arguments.word}")
        if arguments.waits:
            await effects.opened(arguments.word)
        return WithFiles({"done": arguments.word}, (attachment(f"{arguments.word}.txt", b"a drawing"),))

    async def long(arguments: EffectInput, context: ToolContext) -> JsonValue:
        return f"{arguments.word} " * 50_000

    def tool(name: str, runs: object = run, *, repeatable: bool = False, **more: object) -> Tool[EffectInput]:
        return Tool(name, f"Test tool {name}.", EffectInput, runs, repeatable, **more)  # pyright: ignore[reportArgumentType]

    return [
        tool("once"),
        tool("again", repeatable=True),
        tool("found", recover=recover, cancel=cancel),
        tool("alone", exclusive=True),
        tool("last", stop_after=True),
        tool("last_fails", fail, stop_after=True),
        tool("guarded", needs_approval=True),
        tool("breaks", breaks),
        tool("garbled", garbled),
        tool("long", long),
        tool("attach", attach, repeatable=True),
    ]


if __name__ == "__main__":
    from cli import worker_process

    worker_process.run(effect_tools(Effects(Path(os.environ[DIRECTORY]))))
