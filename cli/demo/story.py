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

from cli.client import Client, ClientError, Server
from cli.client.shapes import text_of
from cli.demo import words
from cli.demo.checks import Findings, NotSeen, timing_lines
from cli.demo.records import Records, read_records
from cli.demo.watching import Watch, watching
from cli.stack import EVERYTHING, Stack, StackError, StackOptions
from cli.stack.ports import DEFAULTS
from cli.terminal.conversation import Accepted, say
from cli.terminal.printer import Printer, has_colours
from cli.terminal.shown import Asked

_KILL_AFTER_WORDS = 35
_INTERRUPT_AFTER_WORDS = 25
_LOG_LINES = 15
_FOREIGN = ("PERDURE_", "ANTHROPIC_", "OPENAI_")


def run() -> int:
    """Run the demonstration.

    Returns:
        Exit code: 0 when every check held, 1 when one did not, 130 when it was ended from outside.
    """
    try:
        return asyncio.run(_run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nended; everything was cleaned up", file=sys.stderr)
        return 130


async def _run() -> int:
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await Demonstration().perform()


class Demonstration:
    """Two acts on a stack of its own: a worker is killed, a turn is interrupted."""

    def __init__(self) -> None:
        self.findings = Findings()
        self._begun = time.monotonic()
        self._printer = Printer(sys.stdout, sys.stdout, colours=has_colours(sys.stdout))

    async def perform(self) -> int:
        """Perform both acts, clean up, and give the verdict as an exit code."""
        with tempfile.TemporaryDirectory(prefix="perdure-demo-") as directory:
            # where PostgreSQL has to run under another account, that one must be able to pass
            Path(directory).chmod(0o711)
            await self._on_a_stack(Path(directory))
        left = [process for process in psutil.Process().children(recursive=True) if process.is_running()]
        self.findings.same("no process is left behind", [], left)
        self.findings.same("no file is left behind", False, Path(directory).exists())
        self._print_findings()
        return 1 if self.findings.failed else 0

    async def _on_a_stack(self, directory: Path) -> None:
        options = StackOptions(
            data_dir=directory,
            ports=dict.fromkeys(DEFAULTS, 0),
            parts=EVERYTHING,
            environment=_without_keys(os.environ),
        )
        self._tell("starting PostgreSQL, Valkey, Temporal, a model, a worker and the API")
        try:
            async with Stack(options, report=self._happened) as stack:
                try:
                    await self._acts(stack)
                except BaseException:
                    self._print_logs(stack)
                    raise
        except* (NotSeen, ClientError, StackError) as group:
            for error in group.exceptions:
                self.findings.check(str(error), holds=False)

    async def _acts(self, stack: Stack) -> None:
        self.findings.time("from nothing to a stack that is ready", stack.seconds)
        self._tell(f"ready. Temporal's view of it: {stack.addresses.temporal_ui_url}")
        assert stack.token
        async with Client(Server(url=stack.api_url, token=stack.token), self._tell) as client:
            accepted = await self._kill_the_worker(stack, client)
            await self._interrupt(stack, client, accepted.chat_id)

    async def _kill_the_worker(self, stack: Stack, client: Client) -> Accepted:
        self._title("1. The worker dies in the middle of an answer")
        self._printer.show(Asked(words.FIRST_QUESTION))
        sent = time.monotonic()
        accepted = await say(client, words.first_message())
        async with watching(client, accepted, self._printer) as watch:
            await watch.until(
                "the second step's first words",
                lambda: len(watch.answers) == 1 and _count(watch.words) >= _KILL_AFTER_WORDS,
            )
            first_worker, before = stack.pid("worker"), len(watch.parts)
            self._tell(f"kill -9 {first_worker}: the worker is dead")
            killed = time.monotonic()
            await stack.kill("worker", restart=True)
        self._check_survival(watch, before, [first_worker, stack.pid("worker")])
        again = next(
            (part.at for part in watch.parts if part.attempt > watch.parts[before - 1].attempt), None
        )
        self.findings.time("from the message to the first part of the answer", watch.parts[0].at - sent)
        if again:
            self.findings.time("from SIGKILL to the first new part", again - killed, aim_seconds=5.0)
        await self._check_rows(stack, client, accepted, watch)
        return accepted

    def _check_survival(self, watch: Watch, before: int, workers: list[int | None]) -> None:
        check = self.findings.check
        check(
            "another worker took over", workers[0] != workers[1], f"processes {workers[0]} and {workers[1]}"
        )
        cut = watch.voided[0] if watch.voided else ""
        check(
            "the answer was cut in the middle",
            bool(cut) and words.SURVIVING.startswith(cut) and cut != words.SURVIVING,
            f"after {_count(cut)} of {_count(words.SURVIVING)} words",
        )
        attempts = [part.attempt for part in watch.parts]
        check(
            "the reader was told to drop the cut answer, once",
            len(watch.voided) == 1 and attempts == sorted(attempts),
            f"{len(watch.voided)} time(s)",
        )
        ended = list(watch.answers.values())[-1]
        self.findings.same("and ended with the whole answer on the screen", words.SURVIVING, ended)

    async def _check_rows(self, stack: Stack, client: Client, accepted: Accepted, watch: Watch) -> None:
        same = self.findings.same
        chat = await client.chat(accepted.chat_id)
        messages, _ = await client.history(accepted.chat_id)
        records = await read_records(stack.database_url, accepted.chat_id)
        same("the chat rests", ["waiting", "waiting"], [chat["status"], records.status])
        got = {message["id"]: text_of(message.get("content")) for message in messages}
        assistant = {message["id"] for message in messages if message["role"] == "assistant"}
        same(
            "what was streamed is what GET answers",
            watch.answers,
            {number: text for number, text in got.items() if number in assistant},
        )
        same("what GET answers is what Postgres holds", got, {row.id: row.text for row in records.rows})
        same(
            "the message is there once, and each step once",
            [("user", 1, 0), ("assistant", 1, 1), ("tool", 1, 1), ("assistant", 1, 2)],
            [(row.role, row.turn, row.step) for row in records.rows],
        )
        same("each step was committed once", [(1, 1), (1, 2)], [(s.turn, s.step) for s in records.steps])
        same("the tool has run once", 1, records.results)
        same("the stream brought each message once", sorted(got), watch.message_ids)

    async def _interrupt(self, stack: Stack, client: Client, chat_id: str) -> None:
        self._title("2. A turn is interrupted")
        self._printer.show(Asked(words.SECOND_QUESTION))
        accepted = await say(client, words.second_message(), chat_id)
        async with watching(client, accepted, self._printer) as watch:
            await watch.until("the first words", lambda: _count(watch.words) >= _INTERRUPT_AFTER_WORDS)
            asked = time.monotonic()
            await client.interrupt(chat_id)
        last = max(part.at for part in watch.parts)
        self.findings.time("from the interrupt to the last part", max(0.0, last - asked), aim_seconds=0.1)
        for kept in watch.answered_at.values():
            self.findings.time("from the interrupt to the kept partial answer", kept - asked)
        self._check_partial(watch, await read_records(stack.database_url, chat_id))

    def _check_partial(self, watch: Watch, records: Records) -> None:
        rows = [row for row in records.of_turn(2) if row.role == "assistant"]
        kept = rows[0].text if rows else ""
        self.findings.check(
            "the interrupted answer ends in the middle",
            bool(kept) and words.INTERRUPTED.startswith(kept) and kept != words.INTERRUPTED,
            f"after {_count(kept)} of {_count(words.INTERRUPTED)} words",
        )
        same = self.findings.same
        same(
            "what was shown of it is what Postgres keeps",
            list(watch.answers.values()),
            [r.text for r in rows],
        )
        ends = [step.end for step in records.steps if step.turn == 2]
        same(
            "it was committed once, and the chat rests", (["interrupted"], "waiting"), (ends, records.status)
        )

    def _happened(self, part: str, event: str) -> None:
        self._tell(f"{part} {event.partition(' (log')[0]}")

    def _tell(self, text: str) -> None:
        self._printer.end()
        print(f"[{time.monotonic() - self._begun:5.1f} s] {text}", flush=True)

    def _title(self, text: str) -> None:
        self._printer.end()
        print(f"\n{text}\n", flush=True)

    def _print_logs(self, stack: Stack) -> None:
        """What the parts said, before their logs are deleted."""
        for part in ("worker", "api"):
            lines = stack.directory.log(part).read_text(errors="replace").splitlines()[-_LOG_LINES:]
            print(f"\nlast words of {part}:", *lines, sep="\n  ", file=sys.stderr)

    def _print_findings(self) -> None:
        self._title("What was measured")
        print(*timing_lines(self.findings.timings), sep="\n")
        self._title("What was checked")
        for check in self.findings.checks:
            mark = self._printer.paint("✓", "32") if check.holds else self._printer.paint("✗", "31")
            print(f"  {mark} {check.claim}{f' ({check.found})' if check.found else ''}")
        failed = self.findings.failed
        took = time.monotonic() - self._begun
        verdict = f"{len(failed)} checks FAILED" if failed else f"all {len(self.findings.checks)} checks held"
        print(f"\n{verdict}, after {took:.1f} s.")


def _without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, without what would bring in a real model or the settings of another stack."""
    return {name: value for name, value in environment.items() if not name.startswith(_FOREIGN)}


def _count(text: str) -> int:
    return len(text.split())
