"""The execution state of a chat: everything that decides which transition is legal.

It is a copy of a few columns of the chat's row as of `snapshot_version`. The workflow carries it, the
store returns it with every commit, and of two copies the one with the higher version is the truth.
Names and meaning of the states: spec state-machine.md section 1.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from models.compaction import CompactionReason


class ChatStatus(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    ERROR = "error"
    INTERRUPTING = "interrupting"
    REQUIRES_ACTION = "requires_action"


class StateName(StrEnum):
    """`0` and `1`: without and with queued messages; `X`: archived."""

    W = "W"
    E0 = "E0"
    E1 = "E1"
    R0 = "R0"
    R1 = "R1"
    I0 = "I0"
    I1 = "I1"
    A0 = "A0"
    A1 = "A1"
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
    (ChatStatus.REQUIRES_ACTION, False, False): StateName.A0,
    (ChatStatus.REQUIRES_ACTION, True, False): StateName.A1,
    (ChatStatus.WAITING, False, True): StateName.XW,
    (ChatStatus.ERROR, False, True): StateName.XE0,
    (ChatStatus.ERROR, True, True): StateName.XE1,
}

_PARTS = {name: (status, archived) for (status, _, archived), name in _NAMES.items()}


def status_of(name: StateName) -> tuple[ChatStatus, bool]:
    """Status, and whether the chat is archived, in a state of the matrix."""
    return _PARTS[name]


class Approval(StrEnum):
    """Whether a person must agree before a call runs."""

    NOT_NEEDED = "not_needed"
    PENDING = "pending"
    GIVEN = "given"


class Awaited(StrEnum):
    """What somebody outside has to give before a call can go on."""

    APPROVAL = "approval"
    RESULT = "result"


class ToolCallRef(BaseModel):
    """A tool call without its content: enough to name it and to decide what is to be done about it.

    Where a call runs is said here, with the call, and not looked up again: `awaits` is what the workflow
    itself waits for, and a call that awaits nothing is an activity's.

    Attributes:
        client: the client that declared the tool runs it, and posts the result.
        approval: a pending one holds the call up, also one of the client.
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
    def awaits(self) -> Awaited | None:
        """What somebody outside has to give next; None: nothing, a worker can run the call now."""
        if self.approval is Approval.PENDING:
            return Awaited.APPROVAL
        return Awaited.RESULT if self.client else None

    @property
    def runnable(self) -> bool:
        """A worker can run it now; else somebody outside has to act first."""
        return self.awaits is None

    def stored(self) -> dict[str, Any]:
        """The form kept on the chat's row: what is as usual is left out."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ChatState(BaseModel):
    """One chat's execution state.

    Attributes:
        status: the stored status.
        archived: whether the chat is archived.
        queued: number of messages waiting in the queue.
        steering: how many of those are to join the running turn before its next step.
        turn: number of the current or last turn, from 1; a user message entering history starts one.
        step: number of steps of that turn committed so far; the next model call is `step + 1`.
        open_calls: calls of the last committed step that have no committed result yet.
        turn_ended: the last committed step asked for nothing more, so the turn only waits to be finished.
        compaction: why history is to be compacted before the chat goes on, None if it is not.
        action_deadline: until when somebody outside may act on the open calls (status `requires_action`).
        snapshot_version: counts committed transitions of the chat.
        owner_id: whose chat it is.
    """

    model_config = ConfigDict(frozen=True)

    status: ChatStatus
    archived: bool = False
    queued: int = 0
    steering: int = 0
    turn: int = 1
    step: int = 0
    open_calls: tuple[ToolCallRef, ...] = ()
    turn_ended: bool = False
    compaction: CompactionReason | None = None
    action_deadline: datetime | None = None
    snapshot_version: int = 1
    owner_id: UUID | None = None

    @property
    def name(self) -> StateName:
        """The state's name in the transition matrix; `Invalid` for any combination not in it."""
        return _NAMES.get((self.status, self.queued > 0, self.archived), StateName.INVALID)

    @property
    def operator_status(self) -> str:
        """What Temporal's search attribute says: `active`, or what an operator would look for. Running and
        waiting are not told apart there; a write to the visibility store per turn would cost too much."""
        return self.status if self.status is ChatStatus.ERROR else "active"

    @property
    def at_rest(self) -> bool:
        """Nothing is to be done until the next command."""
        return self.status in (ChatStatus.WAITING, ChatStatus.ERROR)


def turn_is_over(state: ChatState) -> bool:
    """Whether nothing more is done for the turn, but to take up the next message."""
    ended = state.turn_ended and state.compaction is None and not state.open_calls
    return ended or state.status is ChatStatus.ERROR
