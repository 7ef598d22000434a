"""The ways to start an agent."""

from typing import Protocol

from workspace.layout import Layout


class Sandbox(Protocol):
    """Starts agents, each confined to one workspace."""

    def start(self, layout: Layout, listener: int, lock: int) -> None:
        """Start the agent of a workspace; returns at once, and the agent outlives this process.

        Args:
            listener: descriptor of the listening socket that it shall serve.
            lock: descriptor of the lock that it shall hold until its end.

        Raises:
            OSError: it could not be started.
        """
        ...
