"""What a person gets to see of a chat, one thing at a time."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """The user said this."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """The model says this; it may go on with what it said last."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """The model thinks this; it may go on with what it thought last."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """The model calls a tool."""

    tool: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class Returned:
    """A tool has answered."""

    tool: str
    result: Any
    is_error: bool


@dataclass(frozen=True, slots=True)
class Void:
    """What was shown of the answer since the last whole message is void; it is shown anew."""

    why: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something happens to the chat."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn ended in an error."""

    text: str


Shown = Asked | Said | Thought | Called | Returned | Void | Noted | Failed
