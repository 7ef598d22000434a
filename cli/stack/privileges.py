"""Starting a program that refuses to run as root, when we are root.

Inside a user namespace of its own a process can be "nobody" while its files stay ours: nothing has
to change hands. Where the kernel or a container does not permit that, the program really becomes
`nobody`, and must then be able to reach its files.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cli.stack.errors import StackError

_NAMESPACE = ("--user", "--map-user=65534", "--map-group=65534", "--")


@dataclass(frozen=True)
class Privileges:
    """How to start a program.

    Attributes:
        prefix: Put before its command line.
        user: Numeric account to become; None stays as we are.
        group: Its group.
    """

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def hand_over(self, *paths: Path, reach: tuple[Path, ...] = ()) -> None:
        """Make `paths`, with all they hold, the program's own.

        Args:
            paths: Files and directories, ours now.
            reach: What else the program must be able to read.

        Raises:
            StackError: A parent directory shuts the account out.
        """
        if os.geteuid() != 0:
            return
        if self.user is not None:
            for path in (*paths, *reach):
                _require_way_in(path)
        for path in paths:
            self.give(path)

    def give(self, path: Path) -> None:
        """Change the owner of `path` and all it holds, if it is another."""
        owner, group = self.user or 0, self.group or 0
        if path.exists() and path.stat().st_uid != owner:
            for found in (path, *path.rglob("*")):
                os.chown(found, owner, group, follow_symlinks=False)


AS_WE_ARE = Privileges()


@cache
def unprivileged() -> Privileges:
    """The best way to start a program that refuses to run as root."""
    if os.geteuid() != 0:
        return AS_WE_ARE
    unshare = shutil.which("unshare")
    if unshare and _works((unshare, *_NAMESPACE, "true")):
        return Privileges(prefix=(unshare, *_NAMESPACE))
    return as_account("nobody")


def as_account(name: str) -> Privileges:
    """Become the named account for good."""
    account = pwd.getpwnam(name)
    return Privileges(user=account.pw_uid, group=account.pw_gid)


def _works(command: tuple[str, ...]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=5).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _require_way_in(path: Path) -> None:
    for parent in path.absolute().parents:
        if parent.exists() and not parent.stat().st_mode & 0o001:
            raise StackError(
                f"PostgreSQL does not run as root, and the account it would run as cannot enter {parent}. "
                "Run perdure as an ordinary user, or choose another directory with --data-dir, such as "
                f"/var/lib/perdure, or let everybody pass through: chmod o+x {parent}"
            )
