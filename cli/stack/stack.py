"""A whole stack: real servers and our own processes, on one directory, under one roof."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from cli.stack import programs
from cli.stack.directory import DataDirectory, read_record
from cli.stack.errors import StackError
from cli.stack.guard import Guard
from cli.stack.guardian import started
from cli.stack.options import StackInfo, StackOptions
from cli.stack.part import Part
from cli.stack.ports import PortClaims
from cli.stack.postgres import database_url, postgres
from cli.stack.runner import PartRunner, Report
from cli.stack.temporal import NAMESPACE, temporal
from cli.stack.valkey import redis_url, valkey

_PORTS_OF: Mapping[str, tuple[str, ...]] = {
    "postgres": ("postgres",),
    "valkey": ("valkey",),
    "temporal": ("temporal", "temporal-http", "temporal-ui"),
    "demo-model": ("demo-model",),
    "migrate": (),
    "worker": ("worker-metrics",),
    "api": ("api",),
}


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
        self.ports: dict[str, int] = {}
        self.demo_model = "demo-model" in options.parts and programs.wants_demo_model(options.environment)
        self._report = report or _nothing
        self._claims = PortClaims()
        self._hurry = asyncio.Event()
        self._runners: dict[str, PartRunner] = {}
        self._guard: Guard | None = None
        self._begun = time.monotonic()
        self._seconds = 0.0

    async def __aenter__(self) -> Self:
        self._begun = time.monotonic()
        await self.directory.lock()
        try:
            self._set_up()
            await self._start_all()
        except BaseException:
            await self._close()
            raise
        self._seconds = time.monotonic() - self._begun
        self._write_record()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    @property
    def database_url(self) -> str:
        """PostgreSQL, as `postgresql://user:password@host:port/database`."""
        return database_url(self.directory, self.ports["postgres"])

    @property
    def redis_url(self) -> str:
        """Valkey, as `redis://:password@host:port/0`."""
        return redis_url(self.directory, self.ports["valkey"])

    @property
    def temporal_address(self) -> str:
        """Temporal's gRPC address, as `host:port`."""
        return f"127.0.0.1:{self.ports['temporal']}"

    @property
    def temporal_ui_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['temporal-ui']}"

    @property
    def api_url(self) -> str:
        host = programs.reachable(self.options.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.ports['api']}"

    @property
    def token(self) -> str | None:
        """The token made at the first start; None before there was one."""
        path = self.directory.path / "token"
        return path.read_text().strip() if path.exists() else None

    @property
    def environment(self) -> dict[str, str]:
        """What a process of ours needs in its environment to work with this stack."""
        return programs.program_environment(self.options.environment, self._settings())

    @property
    def info(self) -> StackInfo:
        """Where everything is. For a complete stack only."""
        return StackInfo(
            data_dir=self.directory.path,
            ports=dict(self.ports),
            api_url=self.api_url,
            docs_url=f"{self.api_url}/docs",
            temporal_ui_url=self.temporal_ui_url,
            temporal_address=self.temporal_address,
            database_url=self.database_url,
            redis_url=self.redis_url,
            token=self.token,
            demo_model=self.demo_model,
            pids={name: child.pid for name, r in self._runners.items() if (child := r.child)},
            seconds=self._seconds,
        )

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
        self.ports = self._claims.choose(
            [port for name in names for port in _PORTS_OF[name]],
            asked=self.options.ports,
            previous=(read_record(self.directory.path) or {}).get("ports", {}),
            hosts={"api": self.options.host},
        )
        self._guard = Guard(self.directory.lock_descriptor, self._claims.descriptors)
        for part in (self._part(name) for name in names):
            self._runners[part.name] = PartRunner(
                part, self.directory.log(part.name), self._guard, self._happened, self._hurry
            )
        self._write_record()

    def _part(self, name: str) -> Part:
        ports = {port: self.ports[port] for port in _PORTS_OF[name]}
        servers = programs.server_environment(self.options.environment)
        ours = self.environment
        match name:
            case "postgres":
                return postgres(self.directory, ports["postgres"], servers)
            case "valkey":
                return valkey(self.directory, ports["valkey"], servers)
            case "temporal":
                return temporal(self.directory, ports, servers)
            case "demo-model":
                return programs.demo_model(ours, ports["demo-model"])
            case "migrate":
                return programs.migrate(ours)
            case "worker":
                return programs.worker(ours, ports["worker-metrics"])
            case _:
                return programs.api(ours, self.options.host, ports["api"])

    def _settings(self) -> dict[str, str]:
        settings = {"PERDURE_DATA_DIR": str(self.directory.path)}
        if "postgres" in self.ports:
            settings["DATABASE_URL"] = self.database_url
        if "valkey" in self.ports:
            settings["REDIS_URL"] = self.redis_url
        if "temporal" in self.ports:
            settings |= {
                "TEMPORAL_ADDRESS": self.temporal_address,
                "TEMPORAL_NAMESPACE": NAMESPACE,
                "TEMPORAL_UI_URL": self.temporal_ui_url,
            }
        if "api" in self.ports:
            settings |= {"PERDURE_API_HOST": self.options.host, "PERDURE_API_PORT": str(self.ports["api"])}
        if "worker-metrics" in self.ports:
            settings["PERDURE_WORKER_METRICS_PORT"] = str(self.ports["worker-metrics"])
        if "demo-model" in self.ports:
            settings |= {
                "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self.ports['demo-model']}",
                "ANTHROPIC_API_KEY": "demo",
            }
        return settings

    async def _start_all(self) -> None:
        async def start(runner: PartRunner) -> None:
            for needed in self._needs(runner):
                await needed.ready()
            await runner.start()

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
        record: dict[str, object] = {"ports": self.ports}
        if running:
            children = {name: child for name, runner in self._runners.items() if (child := runner.child)}
            record |= {"pid": os.getpid(), "started": started(os.getpid())}
            record["parts"] = {n: {"pid": c.pid, "started": c.started} for n, c in children.items()}
        if "api" in self.ports:
            record |= {"api_url": self.api_url, "docs_url": f"{self.api_url}/docs"}
        if "temporal" in self.ports:
            record |= {"temporal_address": self.temporal_address, "temporal_ui_url": self.temporal_ui_url}
        self.directory.write_record(record)


def _nothing(name: str, event: str) -> None:
    """Report to nobody."""


