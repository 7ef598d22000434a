"""Which port each part listens on: the one asked for, the one it had, its default, or a free one."""

import contextlib
import errno
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from cli.stack.errors import PortTaken, StackError

LOOPBACK = "127.0.0.1"

DEFAULTS: Mapping[str, int] = {
    "api": 8700,
    "temporal-ui": 8233,
    "temporal": 7233,
    "temporal-http": 7243,
    "postgres": 5433,
    "valkey": 6380,
    "worker-metrics": 8790,
    "demo-model": 8701,
}

OPTIONS: Mapping[str, str] = {
    "api": "--port",
    "temporal-ui": "--ui-port",
    **{name: f"--{name}-port" for name in DEFAULTS if name not in ("api", "temporal-ui")},
}

# below the range from which the kernel takes ports for outgoing connections, which would race with us
_FREE_RANGE = range(20_000, 32_000)


class PortClaims:
    """Ports taken by stacks of this user, from the moment they are chosen.

    Looking whether a port is free and listening on it are two moments; between them another stack
    could choose the same one. A claim is a file lock, so it ends with the processes that hold it.
    """

    def __init__(self) -> None:
        self._directory = Path(tempfile.gettempdir()) / f"perdure-ports-{os.geteuid()}"
        self._held: dict[int, int] = {}

    @property
    def descriptors(self) -> tuple[int, ...]:
        return tuple(self._held.values())

    def choose(
        self,
        names: Iterable[str],
        *,
        asked: Mapping[str, int],
        previous: Mapping[str, int],
        hosts: Mapping[str, str],
    ) -> dict[str, int]:
        """Choose and claim one port for each name.

        Args:
            names: Which ports are needed, keys of `DEFAULTS`.
            asked: Ports given by the user; 0 means any free one.
            previous: Ports of the last run on the same directory.
            hosts: Address to listen on, loopback where absent.

        Raises:
            PortTaken: A port that was asked for is in use.
        """
        chosen: dict[str, int] = {}
        wanted = list(names)
        for name in [n for n in wanted if asked.get(n)]:
            if not self._claim(asked[name], hosts.get(name, LOOPBACK)):
                raise PortTaken(asked[name], OPTIONS[name])
            chosen[name] = asked[name]
        for name in [n for n in wanted if n not in chosen]:
            preferred = () if asked.get(name) == 0 else (previous.get(name, DEFAULTS[name]), DEFAULTS[name])
            chosen[name] = self._first_free(preferred, hosts.get(name, LOOPBACK))
        return {name: chosen[name] for name in wanted}

    def release(self) -> None:
        """Give all claims up."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def _first_free(self, preferred: Iterable[int], host: str) -> int:
        for port in (*preferred, *random.sample(_FREE_RANGE, 200)):
            if self._claim(port, host):
                return port
        raise StackError(f"no free port found on {host}. Give the ports yourself: see perdure up --help.")

    def _claim(self, port: int, host: str) -> bool:
        if port in self._held:
            return False
        self._directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._directory / str(port), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _listen(port, host)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EADDRINUSE, errno.EWOULDBLOCK):
                return False
            raise StackError(
                f"cannot listen on {host}, port {port}: {error.strerror}. Choose another --host or port."
            ) from error
        self._held[port] = descriptor
        return True


def _listen(port: int, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        # as servers do: connections of the last run that are still closing do not count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)
