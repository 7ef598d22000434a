"""What can happen to a chat, as the state machine sees it. Each event asks for one transition."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from models.turns import BusyBehavior, Placement


class Transition(StrEnum):
    """Rows of the transition matrix (spec state-machine.md section 2; steering is ours)."""

    CREATE = "Create"
    SEND_QUEUE = "SendMessage(queue)"
    SEND_INTERRUPT = "SendMessage(interrupt)"
    SEND_STEER = "SendMessage(steer)"
    EDIT_MESSAGE = "EditMessage"
    DELETE_QUEUED = "DeleteQueuedMessage"
    PROMOTE_QUEUED = "PromoteQueuedMessage"
    PLACE_STEERING = "PlaceSteering"
    INTERRUPT = "Interrupt"
    ARCHIVE = "SetArchived(true)"
    UNARCHIVE = "SetArchived(false)"
    REQUEST_COMPACTION = "RequestCompaction"
    CLEAR_CONTEXT = "ClearContext"
    COMMIT_STEP = "CommitStep"
    ENTER_REQUIRES_ACTION = "EnterRequiresAction"
    COMPLETE_REQUIRES_ACTION = "CompleteRequiresAction"
    CANCEL_REQUIRES_ACTION = "CancelRequiresAction"
    FINISH_TURN = "FinishTurn"
    FINISH_INTERRUPTION = "FinishInterruption"
    FINISH_ERROR = "FinishError"
    RECONCILE_INVALID_STATE = "ReconcileInvalidState"


_SENDING = {
    BusyBehavior.QUEUE: Transition.SEND_QUEUE,
    BusyBehavior.INTERRUPT: Transition.SEND_INTERRUPT,
    BusyBehavior.STEER: Transition.SEND_STEER,
}


@dataclass(frozen=True, slots=True)
class MessageSent:
    draft: UUID
    busy_behavior: BusyBehavior

    @property
    def transition(self) -> Transition:
        return _SENDING[self.busy_behavior]


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """A draft is to stand in the place of a message and of all that came after it."""

    draft: UUID
    message_id: int

    transition = Transition.EDIT_MESSAGE


@dataclass(frozen=True, slots=True)
class QueuedDeleted:
    queued_id: int

    transition = Transition.DELETE_QUEUED


@dataclass(frozen=True, slots=True)
class QueuedPromoted:
    """A message of the queue is to be answered at once."""

    queued_id: int

    transition = Transition.PROMOTE_QUEUED


@dataclass(frozen=True, slots=True)
class InterruptAsked:
    transition = Transition.INTERRUPT


@dataclass(frozen=True, slots=True)
class ArchivedSet:
    archived: bool
    only_in_turn: int | None = None

    @property
    def transition(self) -> Transition:
        return Transition.ARCHIVE if self.archived else Transition.UNARCHIVE


@dataclass(frozen=True, slots=True)
class CompactionRequested:
    transition = Transition.REQUEST_COMPACTION


@dataclass(frozen=True, slots=True)
class ContextCleared:
    transition = Transition.CLEAR_CONTEXT


@dataclass(frozen=True, slots=True)
class InvalidStateReconciled:
    """A person wants a chat back that is in no state of the matrix."""

    transition = Transition.RECONCILE_INVALID_STATE


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The last step asked for nothing more, and messages are waiting."""

    transition = Transition.FINISH_TURN


@dataclass(frozen=True, slots=True)
class StepStopped:
    """Nothing of the interrupted turn is running any more."""

    transition = Transition.FINISH_INTERRUPTION


@dataclass(frozen=True, slots=True)
class SteeringDue:
    """Messages that steer the running turn are waiting, and its next model call is about to begin."""

    transition = Transition.PLACE_STEERING


@dataclass(frozen=True, slots=True)
class ActionNeeded:
    """All open calls wait for somebody outside, who may take so long."""

    seconds: float

    transition = Transition.ENTER_REQUIRES_ACTION


@dataclass(frozen=True, slots=True)
class CallsAnswered:
    """Results or approvals have come for calls of this step. What they leave undecided may take so long."""

    draft: UUID
    place: Placement
    turn: int
    step: int
    seconds: float

    transition = Transition.COMPLETE_REQUIRES_ACTION


@dataclass(frozen=True, slots=True)
class ActionTimedOut:
    """Nobody has answered until the deadline."""

    transition = Transition.CANCEL_REQUIRES_ACTION


Event = (
    MessageSent
    | MessageEdited
    | QueuedDeleted
    | QueuedPromoted
    | InterruptAsked
    | ArchivedSet
    | CompactionRequested
    | ContextCleared
    | InvalidStateReconciled
    | TurnEnded
    | StepStopped
    | SteeringDue
    | ActionNeeded
    | CallsAnswered
    | ActionTimedOut
)
