"""Where the things of one workspace are on the host."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """A directory per workspace. Commands see `files` and `records` of it, nothing else."""

    path: Path

    @property
    def files(self) -> Path:
        """The home of the workspace: all that stays."""
        return self.path / "files"

    @property
    def records(self) -> Path:
        """What the agent leaves for the next one."""
        return self.path / "records"

    @property
    def claims(self) -> Path:
        return self.path / "claims"

    @property
    def socket(self) -> Path:
        return self.path / "agent.sock"

    @property
    def lock(self) -> Path:
        """Held by the agent as long as it lives."""
        return self.path / "lock"

    @property
    def log(self) -> Path:
        """What the agent, or the sandbox that could not start it, complained about."""
        return self.path / "agent.log"

    def make(self) -> None:
        """Create what is missing."""
        for directory in (self.path, self.files, self.records):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
