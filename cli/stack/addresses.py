"""Where the parts of one stack are, and how its processes are told."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from cli.stack.directory import DataDirectory
from cli.stack.guardian import started
from cli.stack.ports import LOOPBACK
from cli.stack.postgres import database_url
from cli.stack.programs import reachable
from cli.stack.temporal import NAMESPACE
from cli.stack.valkey import redis_url


@dataclass
class Addresses:
    """The addresses of a stack's parts.

    Attributes:
        directory: Where it keeps the passwords that are part of some addresses.
        host: Address the API listens on.
        ports: Port by name, for the parts that the stack has.
    """

    directory: DataDirectory
    host: str
    ports: dict[str, int] = field(default_factory=dict[str, int])

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
        return f"{LOOPBACK}:{self.ports['temporal']}"

    @property
    def temporal_ui_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['temporal-ui']}"

    @property
    def api_url(self) -> str:
        host = reachable(self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.ports['api']}"

    @property
    def docs_url(self) -> str:
        return f"{self.api_url}/docs"

    @property
    def workspaces(self) -> Path:
        """Where the files of chats are."""
        return self.directory.path / "workspaces"

    def settings(self) -> dict[str, str]:
        """The environment variables by which our own processes find the others."""
        settings = {
            "PERDURE_DATA_DIR": str(self.directory.path),
            "PERDURE_WORKSPACE_DIR": str(self.workspaces),
            "PERDURE_MASTER_KEY_FILE": str(self.directory.master_key_file()),
        }
        if "postgres" in self.ports:
            settings["DATABASE_URL"] = self.database_url
        if "valkey" in self.ports:
            settings["REDIS_URL"] = self.redis_url
        if "temporal" in self.ports:
            settings["TEMPORAL_ADDRESS"] = self.temporal_address
            settings["TEMPORAL_NAMESPACE"] = NAMESPACE
            settings["TEMPORAL_UI_URL"] = self.temporal_ui_url
        if "api" in self.ports:
            settings["PERDURE_API_HOST"] = self.host
            settings["PERDURE_API_PORT"] = str(self.ports["api"])
        if "worker-metrics" in self.ports:
            settings["PERDURE_WORKER_METRICS_PORT"] = str(self.ports["worker-metrics"])
        if "demo-model" in self.ports:
            settings["PERDURE_DEMO_MODEL_URL"] = f"http://{LOOPBACK}:{self.ports['demo-model']}"
        return settings

    def record(self, *, running: bool) -> dict[str, object]:
        """What is published in the data directory: no password, no token."""
        record: dict[str, object] = {"ports": self.ports}
        if running:
            record |= {"pid": os.getpid(), "started": started(os.getpid())}
        if "api" in self.ports:
            record |= {"api_url": self.api_url, "docs_url": self.docs_url}
        if "temporal" in self.ports:
            record |= {"temporal_address": self.temporal_address, "temporal_ui_url": self.temporal_ui_url}
        return record
