"""Our own processes as parts: migrations, the worker, the API, the demo model."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import cli
from cli.stack.part import Command, Part, Probe
from cli.stack.ports import LOOPBACK
from cli.stack.probes import accepts, answers_http

PROVIDER_KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")

_SERVERS_KNOW = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


def server_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What third-party servers may see: no keys, and none of the settings that would redirect them."""
    return {name: environment[name] for name in _SERVERS_KNOW if name in environment}


def wants_demo_model(environment: Mapping[str, str]) -> bool:
    """Whether there is no key for a real provider."""
    return not any(environment.get(name) for name in PROVIDER_KEYS)


def program_environment(environment: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """The environment of our own processes: the user's, with `added` on top.

    Temporal's client settings are taken out: they would send our local processes to a server elsewhere.
    """
    ours = {name: value for name, value in environment.items() if not name.startswith("TEMPORAL_")}
    root = str(Path(cli.__file__).parent.parent)
    paths = [root, *(path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path)]
    local = ",".join(filter(None, (environment.get("NO_PROXY") or environment.get("no_proxy"), LOOPBACK)))
    return {
        **ours,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(os.path.abspath(path) for path in paths)),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": local,
        "no_proxy": local,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        **added,
    }


def migrate(environment: Mapping[str, str]) -> Part:
    """Brings the database up to date, and at the first start makes the first user and its token."""
    return Part(
        name="migrate", command=_program(environment, "migrate"), needs=("postgres",), early=True, once=True
    )


def demo_model(environment: Mapping[str, str], port: int) -> Part:
    """The built-in model, for those who have no key yet."""
    command = _program(environment, "demo-model", "--host", LOOPBACK, "--port", str(port))
    return Part(name="demo-model", command=command, ready=accepts(port))


def worker(environment: Mapping[str, str], port: int) -> Part:
    """The Temporal worker; ready when its metrics can be read."""
    return Part(
        name="worker",
        command=_program(environment, "worker"),
        needs=("migrate", "valkey", "temporal"),
        early=True,
        ready=answers_http(port, "/metrics"),
        stop_seconds=25.0,  # it gives running steps about 20 s
    )


def api(environment: Mapping[str, str], host: str, port: int) -> Part:
    """The API; ready when it says that all it depends on is there."""
    ready: Probe = answers_http(port, "/readyz", host=reachable(host))
    return Part(
        name="api",
        command=_program(environment, "api"),
        needs=("migrate", "valkey", "temporal"),
        early=True,
        ready=ready,
    )


def reachable(host: str) -> str:
    """An address under which one that was listened on can be reached from this machine."""
    return {"0.0.0.0": LOOPBACK, "": LOOPBACK, "::": "::1"}.get(host, host)


def _program(environment: Mapping[str, str], *arguments: str) -> Command:
    # -P: a folder named like one of ours in the current directory must not be taken for it
    return Command(argv=(sys.executable, "-P", "-m", "cli.main", *arguments), environment=environment)
