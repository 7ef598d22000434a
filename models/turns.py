"""What travels between the chat workflow and its activities: ids and small outcomes, never content.

Temporal keeps every argument and result for weeks, so nothing a user or a model wrote may appear here.
"""

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from models.chat_state import ChatState, ChatStatus, StateName, ToolCallRef


class _Small(BaseModel):
    model_config = ConfigDict(frozen=True)


class BusyBehavior(StrEnum):
    """What a message does when it meets a running turn."""

    QUEUE = "queue"
    INTERRUPT = "interrupt"


class CallsClosedBy(StrEnum):
    """Why outstanding tool calls get a synthetic result (spec state-machine.md 5.5)."""

    NEW_MESSAGE = "new_message"
    INTERRUPT = "interrupt"
    PROMOTION = "promotion"


class Placement(StrEnum):
    HISTORY = "history"
    QUEUE = "queue"


class Write(_Small):
    """What one transition does to the rows of a chat, in one transaction.

    The state machine decides it, the store carries it out. It applies only while the row is still in the
    state the decision was based on (`expect`, `expect_turn`); otherwise nothing is written and the
    receipt brings the newer state, so that the decision can be made again.

    Attributes:
        draft: the stored message this transition places, and `place` where it goes.
        promote_head: move the oldest queued message into history.
        close_calls: give outstanding tool calls a result of this reason before a user message enters.
        clear_error: forget `last_error`.
        stop_turn: tell the worker that streams this turn to stop, once the write is committed.
    """

    expect: StateName
    expect_turn: int
    status: ChatStatus
    archived: bool = False
    turn: int
    draft: UUID | None = None
    place: Placement | None = None
    promote_head: bool = False
    close_calls: CallsClosedBy | None = None
    clear_error: bool = False
    stop_turn: bool = False


class Commit(_Small):
    """A write and the id that makes it happen once, however often it is delivered."""

    chat_id: UUID
    command_id: str
    write: Write


class Verdict(StrEnum):
    APPLIED = "applied"
    STALE = "stale"
    WITHDRAWN = "withdrawn"
    QUEUE_FULL = "queue_full"


class Receipt(_Small):
    """What a commit did.

    Attributes:
        verdict: `applied` (now or by an earlier delivery of the same command), or why not.
        state: the chat's state after it.
        message_ids: rows that entered history and clients may see, in order.
        queued_id: the queue row made for the draft.
    """

    verdict: Verdict
    state: ChatState
    message_ids: tuple[int, ...] = ()
    queued_id: int | None = None


class ModelCall(_Small):
    """Run one step: call the model, stream, commit."""

    chat_id: UUID
    turn: int
    step: int


class StepEnd(StrEnum):
    """How a model call ended, once its effects are committed."""

    COMMITTED = "committed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class StepOutcome(_Small):
    """What the workflow learns of a model call: the end, and the state the commit left behind."""

    end: StepEnd
    state: ChatState


class ToolRun(_Small):
    """Run one tool call of a committed step."""

    chat_id: UUID
    turn: int
    step: int
    call: ToolCallRef


class ToolEnd(StrEnum):
    """How a tool call ended: with a result in the ledger, stopped by the user, or needless."""

    FINISHED = "finished"
    STOPPED = "stopped"
    SUPERSEDED = "superseded"


class ResultsCommit(_Small):
    """Move the results of a step's tools from the ledger into history, in call order."""

    chat_id: UUID
    turn: int
    step: int


class ChatStart(_Small):
    """Start arguments of the chat workflow, and what continue-as-new carries over.

    Attributes:
        version: layout of this object; a running fleet may hold more than one.
        state: copy of the row; stale copies are caught by the first write.
        idle_seconds: rest this long without a command, then complete.
        events_per_run: continue as new between steps once the history is longer than this.
    """

    version: int = 1
    chat_id: UUID
    state: ChatState
    idle_seconds: float = 60.0
    events_per_run: int = 1000


class SendMessage(_Small):
    """Argument of the `send_message` update: the message itself waits in Postgres as a draft."""

    draft_id: UUID
    busy_behavior: BusyBehavior = BusyBehavior.QUEUE


class SetArchived(_Small):
    archived: bool
