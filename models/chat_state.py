"""The execution state of a chat: everything that decides which transition is legal.

It is a copy of a few columns of the chat's row as of `snapshot_version`. The workflow carries it, the
store returns it with every commit, and of two copies the one with the higher version is the truth.
Names and meaning of the states: spec state-machine.md section 1.
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class ChatStatus(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    ERROR = "error"
    INTERRUPTING = "interrupting"


class StateName(StrEnum):
    """`0` and `1`: without and with queued messages; `X`: archived."""

    W = "W"
    E0 = "E0"
    E1 = "E1"
    R0 = "R0"
    R1 = "R1"
    I0 = "I0"
    I1 = "I1"
    XW = "XW"
    XE0 = "XE0"
    XE1 = "XE1"
    INVALID = "Invalid"


_NAMES = {
    (ChatStatus.WAITING, False, False): StateName.W,
    (ChatStatus.ERROR, False, False): StateName.E0,
    (ChatStatus.ERROR, True, False): StateName.E1,
    (ChatStatus.RUNNING, False, False): StateName.R0,
    (ChatStatus.RUNNING, True, False): StateName.R1,
    (ChatStatus.INTERRUPTING, False, False): StateName.I0,
    (ChatStatus.INTERRUPTING, True, False): StateName.I1,
    (ChatStatus.WAITING, False, True): StateName.XW,
    (ChatStatus.ERROR, False, True): StateName.XE0,
    (ChatStatus.ERROR, True, True): StateName.XE1,
}


class Approval(StrEnum):
    """Whether a person must agree before a call runs."""

    NOT_NEEDED = "not_needed"
    PENDING = "pending"
    GIVEN = "given"


class ToolCallRef(BaseModel):
    """A tool call without its content: enough to name it and to decide what is to be done about it.

    Attributes:
        client: the client that declared the tool runs it, and posts the result.
        approval: a pending one holds the call up.
        stop_after: its success ends the turn.
        timeout_seconds: longest run of the tool.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    client: bool = False
    approval: Approval = Approval.NOT_NEEDED
    stop_after: bool = False
    timeout_seconds: float = 60.0

    @property
    def runnable(self) -> bool:
        """A worker can run it now; else somebody outside has to act first."""
        return not self.client and self.approval is not Approval.PENDING

    def stored(self) -> dict[str, Any]:
        """The form kept on the chat's row: what is as usual is left out."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ChatState(BaseModel):
    """One chat's execution state.

    Attributes:
        status: the stored status.
        archived: whether the chat is archived.
        queued: number of messages waiting in the queue.
        turn: number of the current or last turn, from 1; a user message entering history starts one.
        step: number of steps of that turn committed so far; the next model call is `step + 1`.
        open_calls: calls of the last committed step that have no committed result yet.
        turn_ended: the last committed step asked for nothing more, so the turn only waits to be finished.
        snapshot_version: counts committed transitions of the chat.
    """

    model_config = ConfigDict(frozen=True)

    status: ChatStatus
    archived: bool = False
    queued: int = 0
    turn: int = 1
    step: int = 0
    open_calls: tuple[ToolCallRef, ...] = ()
    turn_ended: bool = False
    snapshot_version: int = 1

    @property
    def name(self) -> StateName:
        """The state's name in the transition matrix; `Invalid` for any combination not in it."""
        return _NAMES.get((self.status, self.queued > 0, self.archived), StateName.INVALID)

    @property
    def at_rest(self) -> bool:
        """Nothing is to be done until the next command."""
        return self.status not in (ChatStatus.RUNNING, ChatStatus.INTERRUPTING)
