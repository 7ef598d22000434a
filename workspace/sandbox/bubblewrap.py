"""Agents in a bubblewrap sandbox on this machine.

What a command can see is listed here, and nothing that is not listed is there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from hashlib import sha256
from pathlib import Path

import workspace
from workspace.agent.__main__ import Configuration
from workspace.layout import Layout

HOME = "/workspace"
_RUN = "/run/perdure"
_RECORDS = f"{_RUN}/records"
_PROGRAM = f"{_RUN}/program"

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = (
    "alternatives",
    "debian_version",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "os-release",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "terminfo",
    "timezone",
)
_DIRECTORIES = (
    "/etc",
    "/etc/pki",
    "/etc/pki/ca-trust",
    "/etc/pki/tls",
    "/etc/ssl",
    "/run",
    _RUN,
    _PROGRAM,
    f"{_PROGRAM}/workspace",
    "/var",
)
_ETC_WITH_NETWORK = ("hosts", "nsswitch.conf", "resolv.conf", "gai.conf")

# Numbers that neither distributions, systemd nor container managers give to anybody.
_FIRST_ACCOUNT = 0x7000_0000
_ACCOUNTS = 0x0FFF_FFFF
_USER_IN_NAMESPACE = 1000

# Nobody's child: whoever ends a worker with all its children does not mean the processes of users.
_ORPHANED = ("/bin/sh", "-c", '"$@" &', "sh")

_START = f"import sys; sys.path.insert(0, {_PROGRAM!r}); from workspace.agent.__main__ import main; main()"


class Confinement(Enum):
    """Who commands are.

    `ACCOUNT`: an account of the chat's own, which owns nothing else on this machine. Needs real root.
    `USER_NAMESPACE`: ourselves outside, but in a user namespace without any privilege. Needs a kernel that
    lets us make one.
    """

    ACCOUNT = "account"
    USER_NAMESPACE = "user namespace"


@dataclass(frozen=True)
class Limits:
    """What one workspace may use.

    Attributes:
        memory_bytes: private memory of one process; also the size of /tmp and of shared memory.
        processes: processes and threads at once.
        network: whether commands reach the network, that of this machine included.
        idle_seconds: an agent without anything to do ends after this long.
    """

    memory_bytes: int
    processes: int
    network: bool = False
    idle_seconds: float = 600.0


class Bubblewrap:
    """Starts agents with `bwrap`.

    Args:
        program: path of `bwrap`.
        confinement: who commands are.
    """

    def __init__(self, program: Path, limits: Limits, confinement: Confinement) -> None:
        self.program = program
        self._limits = limits
        self.confinement = confinement

    def start(self, layout: Layout, listener: int, lock: int) -> None:
        """Start the agent of a workspace; see `workspace.sandbox.Sandbox`."""
        account = _account(layout) if self.confinement is Confinement.ACCOUNT else None
        for directory in (layout.files, layout.records):
            _give(directory, os.geteuid() if account is None else account)
        configuration = Configuration(
            listener=listener,
            home=HOME,
            records=_RECORDS,
            idle_seconds=self._limits.idle_seconds,
            memory_bytes=self._limits.memory_bytes,
            processes=self._limits.processes,
            account=account,
        )
        user = _USER_IN_NAMESPACE if account is None else account
        passwd = _memory_file(f"root:x:0:0::/:/bin/sh\nagent:x:{user}:{user}::{HOME}:/bin/sh\n")
        group = _memory_file(f"root:x:0:\nagent:x:{user}:\n")
        log = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            subprocess.run(
                [
                    *_ORPHANED,
                    str(self.program),
                    *self._namespaces(),
                    *_system(self._limits),
                    *("--perms", "0644", "--ro-bind-data", str(passwd), "/etc/passwd"),
                    *("--perms", "0644", "--ro-bind-data", str(group), "/etc/group"),
                    *("--bind", str(layout.files), HOME),
                    *("--bind", str(layout.records), _RECORDS),
                    *_program(),
                    *("--remount-ro", "/", "--chdir", "/"),
                    *_environment(),
                    *(
                        "--",
                        _interpreter(),
                        "-I",
                        "-S",
                        "-B",
                        "-c",
                        _START,
                        json.dumps(asdict(configuration)),
                    ),
                ],
                env={},  # what bwrap has in its own can be read in the sandbox
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(listener, lock, passwd, group),
                start_new_session=True,
                cwd="/",
                check=True,
            )
        finally:
            for descriptor in (passwd, group, log):
                os.close(descriptor)

    def _namespaces(self) -> Iterator[str]:
        yield from ("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")
        # The first process of a namespace takes all others with it, and none of them can kill it.
        yield "--as-pid-1"
        yield from ("--hostname", "workspace", "--cap-drop", "ALL")
        if self.confinement is Confinement.USER_NAMESPACE:
            yield from ("--unshare-user", "--disable-userns")
            yield from ("--uid", str(_USER_IN_NAMESPACE), "--gid", str(_USER_IN_NAMESPACE))
        else:  # the agent's first act is to become the account, and that ends these, too
            yield from ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        if not self._limits.network:
            yield "--unshare-net"


def _system(limits: Limits) -> Iterator[str]:
    # made by themselves, directories would be as private as what is mounted in them
    for name in _DIRECTORIES:
        yield from ("--perms", "0755", "--dir", name)
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _MERGED:
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for name in _ETC + (_ETC_WITH_NETWORK if limits.network else ()):
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from ("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev")
    for name in ("/dev/shm", "/tmp"):
        yield from ("--perms", "1777", "--size", str(limits.memory_bytes), "--tmpfs", name)
    yield from ("--symlink", "/tmp", "/var/tmp")


def _program() -> Iterator[str]:
    """What the agent itself needs: an interpreter and its own code."""
    if not Path(sys.base_prefix).is_relative_to("/usr"):
        for parent in reversed(Path(sys.base_prefix).parents[:-1]):
            yield from ("--perms", "0755", "--dir", str(parent))
        yield from ("--ro-bind", sys.base_prefix, sys.base_prefix)
    code = Path(workspace.__file__).parent
    for name in ("__init__.py", "protocol.py", "agent"):
        yield from ("--ro-bind", str(code / name), f"{_PROGRAM}/workspace/{name}")


def _environment() -> Iterator[str]:
    path = _PATH
    if not Path(sys.base_prefix).is_relative_to("/usr"):
        path = f"{path}:{sys.base_prefix}/bin"
    variables = {"PATH": path, "HOME": HOME, "USER": "agent", "LOGNAME": "agent", "LANG": "C.UTF-8"}
    yield "--clearenv"
    for name, value in variables.items():
        yield from ("--setenv", name, value)


def _interpreter() -> str:
    return os.path.realpath(sys.executable)


def _account(layout: Layout) -> int:
    digest = sha256(layout.path.name.encode()).digest()
    return _FIRST_ACCOUNT + (int.from_bytes(digest[:4], "big") & _ACCOUNTS)


def _give(directory: Path, owner: int) -> None:
    """Make a directory and all in it belong to an account, after a change of the confinement."""
    if directory.stat().st_uid != owner:
        for found in (directory, *directory.rglob("*")):
            os.chown(found, owner, owner, follow_symlinks=False)


def _memory_file(text: str) -> int:
    descriptor = os.memfd_create("sandbox", os.MFD_CLOEXEC)
    os.write(descriptor, text.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
