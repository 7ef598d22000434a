"""What can be chosen about a stack."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.stack.directory import default_directory

SERVERS = ("postgres", "valkey", "temporal")
EVERYTHING = (*SERVERS, "demo-model", "migrate", "worker", "api")


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """How to start a stack.

    Attributes:
        data_dir: Where everything it keeps is; made if absent, resumed if not.
        host: Address the API listens on. All other parts stay on loopback.
        ports: Ports by name (`cli.stack.ports.DEFAULTS`); 0 is any free one. For those not given: the one
            of the last run, the default, or any free one.
        parts: What to start, of `EVERYTHING`. The demo model is left out by itself when the environment
            holds a provider's key.
        environment: What our own programs find in their environment, before the stack adds its own.
    """

    data_dir: Path = field(default_factory=default_directory)
    host: str = "127.0.0.1"
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    parts: tuple[str, ...] = EVERYTHING
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
