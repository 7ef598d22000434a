"""Keeps one part running: start, readiness, restart after a death, and the end."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from cli.stack.child import Child
from cli.stack.errors import PartFailed
from cli.stack.guard import Guard
from cli.stack.part import Command, Part

_MOST_DEATHS = 5
_WITHIN_SECONDS = 60.0
_BACKOFF_SECONDS = (0.0, 0.2, 1.0, 3.0, 6.0)
_POLL_SECONDS = (0.01, 0.02, 0.05)

Report = Callable[[str, str], None]
"""Told the name of a part and what has just happened to it."""

Needs = Callable[[], Awaitable[None]]


class PartRunner:
    """One part of a running stack.

    Args:
        part: What to run.
        log: Where its output goes.
        guard: Is told of each process.
        report: Is told what happens.
        hurry: Once set, stopping waits for nobody.
    """

    def __init__(self, part: Part, log: Path, guard: Guard, report: Report, hurry: asyncio.Event) -> None:
        self.part = part
        self.failed: asyncio.Future[PartFailed] = asyncio.get_running_loop().create_future()
        self._log = log
        self._guard = guard
        self._report = report
        self._hurry = hurry
        self._child: Child | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._deaths: deque[float] = deque(maxlen=_MOST_DEATHS)

    @property
    def child(self) -> Child | None:
        """Its process, if it has a live one."""
        return self._child if self._child and self._child.alive else None

    async def ready(self) -> None:
        """Wait until it can be used."""
        await self._ready.wait()

    async def start(self, needs: Needs | None = None) -> None:
        """Start it and wait until it is ready. Does nothing if it is running.

        Args:
            needs: Waits until what it needs is ready; without it, that is taken for granted.

        Raises:
            PartFailed: It ended, or was not ready in time.
        """
        if self._watch and not self._watch.done():
            return await self.ready()
        begun = time.monotonic()
        if needs and not self.part.early:
            await needs()
            begun, needs = time.monotonic(), None
        await self._launch(needs)
        self._report(
            self.part.name, f"{'done' if self.part.once else 'ready'} in {time.monotonic() - begun:.1f} s"
        )
        if not self.part.once:
            self._watch = asyncio.create_task(self._keep_running(), name=f"keep-{self.part.name}")

    async def stop(self) -> None:
        """Stop it. It stays stopped."""
        await self._end_watch()
        if self._child:
            await self._child.stop(self._hurry)

    async def kill(self, *, restart: bool = False) -> None:
        """SIGKILL it.

        Args:
            restart: Treat it as a crash, after which it is started again; else it stays dead.
        """
        if not restart:
            await self._end_watch()
        self._ready.clear()
        if self._child:
            await self._child.kill()

    async def _end_watch(self) -> None:
        self._ready.clear()
        if self._watch:
            self._watch.cancel()
            await asyncio.wait((self._watch,))
            self._watch = None

    async def _launch(self, needs: Needs | None = None) -> None:
        if self.part.prepare:
            await self.part.prepare(self._run_to_end)
        child = self._spawn(self.part.command, gated=needs is not None)
        self._child = child
        try:
            if needs:
                await needs()
                child.open_gate()
            if self.part.once:
                await self._ended_well(child, "failed")
            elif self.part.ready:
                await self._until_ready(child)
        except BaseException:
            await child.kill()
            raise
        self._ready.set()

    async def _until_ready(self, child: Child) -> None:
        exited = asyncio.ensure_future(child.exited())
        polling = asyncio.ensure_future(self._poll())
        try:
            await asyncio.wait(
                (exited, polling), timeout=self.part.ready_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if exited.done():
                raise self._failure(child, f"could not be started: it ended with {_code(exited.result())}")
            if not polling.done():
                raise self._failure(child, f"was not ready within {self.part.ready_seconds:.0f} s")
            polling.result()
        finally:
            for task in (exited, polling):
                task.cancel()
            await asyncio.wait((exited, polling))

    async def _poll(self) -> None:
        ready = self.part.ready
        waits = iter(_POLL_SECONDS)
        while ready and not await ready():  # noqa: ASYNC110 - another process; it has no event to set
            await asyncio.sleep(next(waits, _POLL_SECONDS[-1]))

    async def _keep_running(self) -> None:
        name = self.part.name
        while self._child:
            code = await self._child.exited()
            self._ready.clear()
            await self._child.kill()  # the helpers it may have left
            self._deaths.append(time.monotonic())
            while True:
                recent = sum(time.monotonic() - death < _WITHIN_SECONDS for death in self._deaths)
                if recent >= _MOST_DEATHS:
                    reason = f"died {recent} times within a minute, the last time with {_code(code)}"
                    self.failed.set_result(self._failure(self._child, reason))
                    return
                self._report(name, f"ended with {_code(code)}; starting it again (log: {self._log})")
                await asyncio.sleep(_BACKOFF_SECONDS[recent - 1 if recent else 0])
                try:
                    await self._launch()
                except PartFailed:
                    self._deaths.append(time.monotonic())
                    continue
                self._report(name, "ready again")
                break

    async def _run_to_end(self, command: Command) -> None:
        child = self._spawn(command)
        try:
            await self._ended_well(child, f"could not be prepared: {Path(command.argv[0]).name} failed")
        except BaseException:
            await child.kill()
            raise

    async def _ended_well(self, child: Child, what: str) -> None:
        try:
            async with asyncio.timeout(self.part.ready_seconds):
                code = await child.exited()
        except TimeoutError:
            raise self._failure(child, f"was not done within {self.part.ready_seconds:.0f} s") from None
        if code != 0:
            raise self._failure(child, f"{what} with {_code(code)}")

    def _spawn(self, command: Command, *, gated: bool = False) -> Child:
        try:
            return Child(
                command,
                self._log,
                self._guard,
                stop_signal=self.part.stop_signal,
                stop_seconds=self.part.stop_seconds,
                gated=gated,
            )
        except OSError as error:
            reason = f"could not be started: {command.argv[0]}: {error.strerror}"
            raise PartFailed(self.part.name, reason, self._log, []) from error

    def _failure(self, child: Child, reason: str) -> PartFailed:
        return PartFailed(self.part.name, reason, self._log, child.tail())


def _code(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
