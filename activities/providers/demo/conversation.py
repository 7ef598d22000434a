"""What the script and the small talk need to know of a request, whatever its protocol."""

import hashlib
import json
from typing import Any, Protocol


class Conversation(Protocol):
    """A request as the script and the small talk see it."""

    @property
    def model(self) -> str: ...

    @property
    def stream(self) -> bool: ...

    @property
    def typed(self) -> str:
        """What the user last typed, beyond handing in tool results."""
        ...

    @property
    def step(self) -> int:
        """How many times the assistant has spoken since."""
        ...

    @property
    def answers(self) -> int:
        """How many times the assistant has spoken at all."""
        ...

    @property
    def results(self) -> list[str]:
        """The texts of the tool results at the end."""
        ...

    @property
    def forbids_tools(self) -> bool: ...

    @property
    def tool_names(self) -> frozenset[str]:
        """The tools that the client would run."""
        ...


def fingerprint(body: dict[str, Any]) -> str:
    """Name a conversation by its content: equal for a repeated request, different for every other step."""
    identity = [body.get("messages") or body.get("input"), body.get("metadata")]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
