"""The demonstration, from beginning to end."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from cli.demo import verdicts, words
from cli.demo.checks import Check, NotSeen, Timing, check_lines, same, timing_lines
from cli.demo.records import read_records
from cli.demo.verdicts import Got
from cli.demo.watching import Watch, watching
from cli.stack import Stack, StackError, StackOptions
from cli.stack.ports import DEFAULTS
from cli.terminal.conversation import INTERRUPTED, say
from cli.terminal.printer import Printer, has_colours
from cli.terminal.shown import Asked
from perdure.client import Chat, Perdure, PerdureError

_KILL_AFTER_WORDS = 35
_INTERRUPT_AFTER_WORDS = 25
_LOG_LINES = 15
_FOREIGN = ("PERDURE_", "ANTHROPIC_", "OPENAI_")


def run() -> int:
    """Run the demonstration.

    Returns:
        Exit code: 0 when every check held, 1 when one did not, 130 when it was ended from outside.
    """
    story = Story()
    try:
        with tempfile.TemporaryDirectory(prefix="perdure-demo-") as name:
            directory = Path(name)
            # where PostgreSQL has to run under another account, that one must be able to pass
            directory.chmod(0o711)
            asyncio.run(story.perform(directory))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nperdure: ended early; everything is cleaned up", file=sys.stderr)
        return INTERRUPTED
    left = psutil.Process().children(recursive=True)
    story.checks.append(same("no process is left behind", [], left))
    story.checks.append(same("no file is left behind", False, directory.exists()))
    story.tell_findings()
    return 0 if all(check.holds for check in story.checks) else 1


class Story:
    """Two acts on a stack of its own: a worker is killed, a turn is interrupted.

    Attributes:
        checks: Claims so far.
        timings: Measurements so far.
    """

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.timings: list[Timing] = []
        self._begun = time.monotonic()
        self._printer = Printer(sys.stdout, sys.stdout, colours=has_colours(sys.stdout))

    async def perform(self, directory: Path) -> None:
        """Perform both acts. What goes wrong becomes a check that does not hold."""
        task = asyncio.current_task()
        assert task
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        options = StackOptions(
            data_dir=directory,
            ports=dict.fromkeys(DEFAULTS, 0),
            environment=_without_keys(os.environ),
        )
        self._tell("starting PostgreSQL, Valkey, Temporal, the demo model, a worker and the API")
        try:
            async with Stack(options, report=self._happened) as stack:
                await self._acts(stack)
                self._tell("stopping everything")
        except* (NotSeen, PerdureError, StackError) as group:
            self._print_logs(directory)
            self.checks += [Check(str(error), holds=False) for error in group.exceptions]

    async def _acts(self, stack: Stack) -> None:
        assert stack.token
        self.timings.append(Timing("from nothing to a stack that is ready", stack.seconds))
        self._tell(f"everything is ready; Temporal's view of it: {stack.addresses.temporal_ui_url}")
        async with Perdure(stack.api_url, stack.token, notify=self._tell) as perdure:
            chat = await self._kill_the_worker(stack, perdure)
            await self._interrupt(stack, perdure, chat)

    async def _kill_the_worker(self, stack: Stack, perdure: Perdure) -> Chat:
        self._title("1. The worker dies in the middle of an answer")
        self._printer.show(Asked(words.FIRST_QUESTION))
        sent = time.monotonic()
        accepted = await say(perdure, words.first_message())
        chat = accepted.chat
        async with watching(accepted, self._printer) as watch:
            await watch.until(
                "the first words of the second step",
                lambda: len(watch.answers) == 1 and len(watch.words.split()) >= _KILL_AFTER_WORDS,
            )
            worker = stack.pid("worker")
            attempt = watch.parts[-1].attempt
            killed = time.monotonic()
            await stack.kill("worker", restart=True)
        self._time_survival(watch, attempt, sent, killed)
        got = Got(await chat.info(), await chat.history())
        records = await read_records(stack.database_url, chat.id)
        self.checks += verdicts.survival(watch, (worker, stack.pid("worker")))
        self.checks += verdicts.agreement(watch, got, records)
        return chat

    def _time_survival(self, watch: Watch, attempt: tuple[int, int], sent: float, killed: float) -> None:
        self.timings.append(
            Timing("from the message to the first part of the answer", watch.parts[0].at - sent)
        )
        anew = [part.at for part in watch.parts if part.attempt > attempt]
        if anew:
            self.timings.append(
                Timing("from SIGKILL to the first new part", anew[0] - killed, aim_seconds=5.0)
            )

    async def _interrupt(self, stack: Stack, perdure: Perdure, chat: Chat) -> None:
        self._title("2. A turn is interrupted")
        self._printer.show(Asked(words.SECOND_QUESTION))
        accepted = await say(perdure, words.second_message(), chat.id)
        async with watching(accepted, self._printer) as watch:
            await watch.until(
                "the first words of the second answer",
                lambda: len(watch.words.split()) >= _INTERRUPT_AFTER_WORDS,
            )
            asked = time.monotonic()
            await chat.interrupt()
        stopped = max(0.0, watch.parts[-1].at - asked)
        self.timings.append(Timing("from the interrupt to the last part", stopped, aim_seconds=0.1))
        for kept in watch.answered_at.values():
            self.timings.append(Timing("from the interrupt to the kept partial answer", kept - asked))
        self.checks += verdicts.interruption(watch, await read_records(stack.database_url, chat.id))

    def tell_findings(self) -> None:
        """Print what was measured and what was checked."""
        self._title("What was measured")
        print(*timing_lines(self.timings), sep="\n")
        self._title("What was checked")
        print(*(f"  {line}" for line in check_lines(self.checks)), sep="\n")
        failed = sum(not check.holds for check in self.checks)
        verdict = f"{failed} of {len(self.checks)} checks FAILED" if failed else "All checks held"
        print(f"\n{verdict}, after {time.monotonic() - self._begun:.1f} s.", flush=True)

    def _happened(self, part: str, event: str) -> None:
        if not event.startswith(("ready in", "done in")):
            self._tell(f"{part} {event.partition(' (log')[0]}")

    def _tell(self, text: str) -> None:
        self._printer.end()
        print(f"[{time.monotonic() - self._begun:5.1f} s] {text}", flush=True)

    def _title(self, text: str) -> None:
        self._printer.end()
        print(f"\n{text}\n", flush=True)

    def _print_logs(self, directory: Path) -> None:
        """What the parts said, before their logs are deleted."""
        self._printer.end()
        for part in ("worker", "api"):
            log = directory / "logs" / f"{part}.log"
            lines = log.read_text(errors="replace").splitlines() if log.exists() else ["(nothing)"]
            print(f"\nlast words of {part}:", *lines[-_LOG_LINES:], sep="\n  ", file=sys.stderr)


def _without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, without what would bring in a real model or the settings of another stack."""
    return {name: value for name, value in environment.items() if not name.startswith(_FOREIGN)}
