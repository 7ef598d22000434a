"""What travels between the chat workflow and its activities: ids and small outcomes, never content.

Temporal keeps every argument and result for weeks, so nothing a user or a model wrote may appear here.
"""

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from models.chat_state import ChatState, ChatStatus, StateName, ToolCallRef
from models.failures import FailureKind
from models.ids import keyed_request_id


class _Small(BaseModel):
    model_config = ConfigDict(frozen=True)


class BusyBehavior(StrEnum):
    """What a message does when it meets a running turn: wait for its end, stop it, or join it before its
    next model call."""

    QUEUE = "queue"
    INTERRUPT = "interrupt"
    STEER = "steer"


class CallsClosedBy(StrEnum):
    """Why outstanding tool calls get a synthetic result (spec state-machine.md 5.5)."""

    NEW_MESSAGE = "new_message"
    INTERRUPT = "interrupt"
    PROMOTION = "promotion"
    CONTEXT_CHANGE = "context_change"
    TIMEOUT = "timeout"
    EDIT = "edit"
    INVALID_STATE = "invalid_state"


class Placement(StrEnum):
    """Where the content of a draft goes. Results and approvals answer open calls."""

    HISTORY = "history"
    QUEUE = "queue"
    RESULTS = "results"
    APPROVALS = "approvals"


class Write(_Small):
    """What one transition does to the rows of a chat, in one transaction.

    The state machine decides it, the store carries it out. It applies only while the row is still in the
    state the decision was based on (`expect`, `expect_turn`, and `expect_step` where that matters); otherwise
    nothing is written and the receipt brings the newer state, so that the decision can be made again.

    Attributes:
        draft: the stored content this transition places, and `place` where it goes.
        steers: the message joins the running turn.
        place_steering: move the queued messages that steer into history, within the running turn.
        cut_from: delete this message and all behind it, before the draft enters history, and the queue.
        drop_queued: take this message out of the queue for good.
        raise_queued: make this message the head of the queue.
        promote_head: move the head of the queue into history.
        close_calls: give outstanding tool calls a result of this reason before a user message enters.
        clear_error: forget `last_error`.
        request_compaction: have the conversation summarized, then rest.
        clear_context: let the next prompt begin behind this write.
        keep_compaction: a compaction that is due stays due; any other write forgets it.
        stop_turn: tell the worker that streams the turn `expect_turn` to stop, once this is committed.
        action_seconds: how long somebody outside may take to act, from now. With answers: where the chat
            goes on waiting after them, for what they leave undecided; it stays in `requires_action` then.
        reconcile: the chat was in no state of the matrix; say so in `last_error`.
        family: do the same with all chats below this one.
    """

    expect: StateName
    expect_turn: int
    expect_step: int | None = None
    status: ChatStatus
    archived: bool = False
    turn: int
    draft: UUID | None = None
    place: Placement | None = None
    steers: bool = False
    place_steering: bool = False
    cut_from: int | None = None
    drop_queued: int | None = None
    raise_queued: int | None = None
    promote_head: bool = False
    close_calls: CallsClosedBy | None = None
    clear_error: bool = False
    request_compaction: bool = False
    clear_context: bool = False
    keep_compaction: bool = False
    stop_turn: bool = False
    action_seconds: float | None = None
    reconcile: bool = False
    family: bool = False

    @property
    def places_message(self) -> bool:
        """Whether the draft is a message of a user."""
        return self.place in (Placement.HISTORY, Placement.QUEUE)

    @property
    def finishes_turn(self) -> bool:
        """The running turn has ended by itself: the chat rests, or goes on with the next message."""
        if self.expect not in (StateName.R0, StateName.R1):
            return False
        return self.status is ChatStatus.WAITING or self.promote_head

    @property
    def interrupts(self) -> bool:
        """A person stops what the chat is at, or what it waits for, and nobody has before."""
        if self.expect in (StateName.R0, StateName.R1):
            return self.stop_turn
        waits = self.expect in (StateName.A0, StateName.A1)
        return waits and self.close_calls not in (None, CallsClosedBy.TIMEOUT)

    @property
    def finishes_interruption(self) -> bool:
        """Nothing of the interrupted turn is running any more: the chat rests, or goes on with the next."""
        interrupted = self.expect in (StateName.I0, StateName.I1)
        return interrupted and self.close_calls is CallsClosedBy.INTERRUPT

    @property
    def answers(self) -> Placement | None:
        """What kind of answers to open calls the draft holds, if it holds any."""
        return self.place if self.place in (Placement.RESULTS, Placement.APPROVALS) else None


class Commit(_Small):
    """A write and the id that makes it happen once, however often it is delivered."""

    chat_id: UUID
    command_id: str
    write: Write

    @property
    def draft(self) -> UUID | None:
        """The row that keeps the receipt, beside that of the chat: the draft with the content, or an empty
        one of a command that came with an idempotency key."""
        return self.write.draft or keyed_request_id(self.command_id)


class Verdict(StrEnum):
    APPLIED = "applied"
    STALE = "stale"
    WITHDRAWN = "withdrawn"
    QUEUE_FULL = "queue_full"
    NOTHING_TO_COMPACT = "nothing_to_compact"
    NOTHING_TO_CLEAR = "nothing_to_clear"
    OTHER_CALLS = "other_calls"
    MESSAGE_GONE = "message_gone"
    NOT_IN_QUEUE = "not_in_queue"
    NO_MODEL = "no_model"
    FAMILY_BUSY = "family_busy"
    FAMILY_INVALID = "family_invalid"
    FILE_GONE = "file_gone"


class Receipt(_Small):
    """What a commit did.

    Attributes:
        verdict: `applied` (now or by an earlier delivery of the same command), or why not.
        state: the chat's state after it.
        message_ids: rows that entered history and clients may see, in order.
        queued_id: the queue row made for the draft.
        version: snapshot version as which a draft was applied: the revision of all rows it changed.
    """

    verdict: Verdict
    state: ChatState
    message_ids: tuple[int, ...] = ()
    queued_id: int | None = None
    version: int = 0

    def stops(self, write: Write) -> bool:
        """Whether the turn that the write is to stop stops for it. A message that is delivered again, because
        its answer was lost, may find its own turn running: that goes on."""
        reached = (self.state.status, self.state.turn) == (write.status, write.turn)
        return write.stop_turn and self.verdict is Verdict.APPLIED and reached


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
    OVERFLOWED = "overflowed"
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


class Compaction(_Small):
    """Replace what the model has seen so far by a summary. `step` is the last one committed.

    `manual`: a person asked for it, between two turns; it belongs to neither.
    """

    chat_id: UUID
    turn: int
    step: int
    manual: bool = False


class ChatNaming(_Small):
    """Find a title for a chat that still has its provisional one."""

    chat_id: UUID


class TurnLabel(_Small):
    """Say in a few words what a turn that has ended has done."""

    chat_id: UUID
    turn: int


class TitleProposal(_Small):
    """Propose a title for a chat, without giving it."""

    chat_id: UUID


class Proposed(_Small):
    """What came of a proposal.

    Attributes:
        proposal_id: where it is kept; None if there is none.
        failed: the kind of the failure for which there is none.
        too_late: it took longer than we wait.
    """

    proposal_id: int | None = None
    failed: FailureKind | None = None
    too_late: bool = False


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
        action_seconds: how long a client or a person may take over a call that waits for them.
        titles: a model finds the title of a new chat.
        labels: a model labels turns that have ended.
    """

    version: int = 1
    chat_id: UUID
    state: ChatState
    idle_seconds: float = 60.0
    events_per_run: int = 1000
    action_seconds: float = 300.0
    titles: bool = False
    labels: bool = False


class SendMessage(_Small):
    """Argument of the `send_message` update: the message itself waits in Postgres as a draft."""

    draft_id: UUID
    busy_behavior: BusyBehavior = BusyBehavior.QUEUE


class EditMessage(_Small):
    """Argument of the `edit_message` update: what is to stand in the place of this message waits in Postgres
    as a draft."""

    draft_id: UUID
    message_id: int


class QueuedMessageRef(_Small):
    """Argument of the updates that are about one message of the queue."""

    queued_id: int


class AnswerCalls(_Small):
    """Argument of the `answer_calls` update: results or approvals, waiting in Postgres as a draft, for calls
    of this step."""

    draft_id: UUID
    place: Placement
    turn: int
    step: int


class SetArchived(_Small):
    """Argument of the `set_archived` update.

    Attributes:
        only_in_turn: refuse if the chat has begun another turn than this: whoever asked has not seen it.
    """

    archived: bool
    only_in_turn: int | None = None
