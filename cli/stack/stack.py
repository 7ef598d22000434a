"""A whole stack: real servers and our own processes, on one directory, under one roof."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from cli.stack import catalog
from cli.stack.addresses import Addresses
from cli.stack.directory import DataDirectory, read_record
from cli.stack.errors import StackError
from cli.stack.guard import Guard
from cli.stack.options import StackOptions
from cli.stack.ports import PortClaims
from cli.stack.programs import program_environment, wants_demo_model
from cli.stack.runner import PartRunner, Report
from workspace.client import shut_down_all


class Stack:
    """A stack, up between `async with` and its end.

        async with Stack(StackOptions(data_dir=tmp_path, parts=SERVERS)) as stack:
            await connect(stack.database_url)
            await stack.kill("postgres")
            await stack.start("postgres")

    What dies by itself is started again; what was killed or stopped through this object stays down.

    Args:
        options: What to start, and where.
        report: Is told what happens to each part.
    """

    def __init__(self, options: StackOptions, report: Report | None = None) -> None:
        self.options = options
        self.directory = DataDirectory(options.data_dir)
        self.addresses = Addresses(self.directory, options.host)
        self.demo_model = "demo-model" in options.parts and wants_demo_model(options.environment)
        self._report = report or _nothing
        self._claims = PortClaims()
        self._hurry = asyncio.Event()
        self._runners: dict[str, PartRunner] = {}
        self._guard: Guard | None = None
        self._begun = time.monotonic()
        self.seconds = 0.0

    async def __aenter__(self) -> Self:
        self._begun = time.monotonic()
        await self.directory.lock()
        try:
            self._set_up()
            await self._start_all()
        except BaseException:
            await self._close()
            raise
        self.seconds = time.monotonic() - self._begun
        self._write_record()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    @property
    def ports(self) -> Mapping[str, int]:
        return self.addresses.ports

    @property
    def database_url(self) -> str:
        """PostgreSQL, as `postgresql://user:password@host:port/database`."""
        return self.addresses.database_url

    @property
    def redis_url(self) -> str:
        """Valkey, as `redis://:password@host:port/0`."""
        return self.addresses.redis_url

    @property
    def temporal_address(self) -> str:
        """Temporal's gRPC address, as `host:port`."""
        return self.addresses.temporal_address

    @property
    def api_url(self) -> str:
        return self.addresses.api_url

    @property
    def token(self) -> str | None:
        """The token made at the first start; None before there was one."""
        path = self.directory.path / "token"
        return path.read_text().strip() if path.exists() else None

    @property
    def environment(self) -> dict[str, str]:
        """What a process of ours needs in its environment to work with this stack."""
        return program_environment(self.options.environment, self.addresses.settings())

    def pid(self, name: str) -> int | None:
        """Process id of a part; None while it is down."""
        child = self._runner(name).child
        return child.pid if child else None

    async def ready(self, name: str) -> None:
        """Wait until a part can be used, for instance after `kill(name, restart=True)`."""
        await self._runner(name).ready()

    async def start(self, name: str) -> None:
        """Start a part that is down, and wait until it is ready.

        Raises:
            PartFailed: It could not be started.
        """
        await self._runner(name).start()

    async def stop(self, name: str) -> None:
        """Stop a part in its own orderly way. It stays down."""
        await self._runner(name).stop()

    async def kill(self, name: str, *, restart: bool = False) -> None:
        """End a part with SIGKILL, with all processes it has started.

        Args:
            name: The part.
            restart: Have it started again, as after a crash.
        """
        await self._runner(name).kill(restart=restart)

    async def restart(self, name: str) -> None:
        """Stop a part and start it again; returns when it is ready."""
        await self.stop(name)
        await self.start(name)

    def freeze(self, name: str) -> None:
        """Stop all processes of a part in their tracks, as an overloaded machine would."""
        if child := self._runner(name).child:
            child.freeze()

    def thaw(self, name: str) -> None:
        """Let a frozen part go on."""
        if child := self._runner(name).child:
            child.thaw()

    async def wait(self) -> None:
        """Wait for as long as the stack works.

        Raises:
            PartFailed: A part died too often and was given up.
        """
        failures = [runner.failed for runner in self._runners.values()]
        await asyncio.wait(failures, return_when=asyncio.FIRST_COMPLETED)
        raise next(failure.result() for failure in failures if failure.done())

    def hurry(self) -> None:
        """From now on stopping waits for nobody."""
        self._hurry.set()

    def _runner(self, name: str) -> PartRunner:
        try:
            return self._runners[name]
        except KeyError:
            raise StackError(f"this stack has no part {name!r}, only {', '.join(self._runners)}") from None

    def _set_up(self) -> None:
        names = [n for n in self.options.parts if n != "demo-model" or self.demo_model]
        self.addresses.ports = self._claims.choose(
            [port for name in names for port in catalog.PORTS[name]],
            asked=self.options.ports,
            previous=(read_record(self.directory.path) or {}).get("ports", {}),
            hosts={"api": self.options.host},
        )
        self._guard = Guard(self.directory.lock_descriptor, self._claims.descriptors)
        for name in names:
            part = catalog.build(name, self.addresses, self.options)
            self._runners[part.name] = PartRunner(
                part, self.directory.log(part.name), self._guard, self._happened, self._hurry
            )
        self._write_record()

    async def _start_all(self) -> None:
        async def start(runner: PartRunner) -> None:
            async def needs() -> None:
                for needed in self._needs(runner):
                    await needed.ready()

            await runner.start(needs)

        try:
            await self._for_all(start)
        except ExceptionGroup as group:
            failures = [error for error in group.exceptions if isinstance(error, StackError)]
            raise (failures or group.exceptions)[0] from None

    async def _stop_all(self) -> None:
        stopped = {name: asyncio.Event() for name in self._runners}

        async def stop(runner: PartRunner) -> None:
            for other in self._runners.values():
                if runner in self._needs(other):
                    await stopped[other.part.name].wait()
            await runner.stop()
            stopped[runner.part.name].set()

        await self._for_all(stop)

    async def _for_all(self, act: Callable[[PartRunner], Awaitable[None]]) -> None:
        async def once(runner: PartRunner) -> None:
            await act(runner)

        async with asyncio.TaskGroup() as group:
            for runner in self._runners.values():
                group.create_task(once(runner))

    def _needs(self, runner: PartRunner) -> list[PartRunner]:
        return [self._runners[name] for name in runner.part.needs if name in self._runners]

    async def _close(self) -> None:
        try:
            await self._stop_all()
            await shut_down_all(self.addresses.workspaces)
        finally:
            if self._guard:
                self._guard.close()  # ends what could not be stopped
                self._guard = None
            if self._runners:
                self._write_record(running=False)
            self._claims.release()
            self.directory.unlock()

    def _happened(self, name: str, event: str) -> None:
        self._write_record()
        self._report(name, event)

    def _write_record(self, *, running: bool = True) -> None:
        record = self.addresses.record(running=running)
        if running:
            children = {name: child for name, runner in self._runners.items() if (child := runner.child)}
            record["parts"] = {n: {"pid": c.pid, "started": c.started} for n, c in children.items()}
        self.directory.write_record(record)


def _nothing(name: str, event: str) -> None:
    """Report to nobody."""
