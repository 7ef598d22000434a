"""What can happen to a chat, as the state machine sees it. Each event asks for one transition."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from models.turns import BusyBehavior


class Transition(StrEnum):
    """Rows of the transition matrix (spec state-machine.md section 2)."""

    CREATE = "Create"
    SEND_QUEUE = "SendMessage(queue)"
    SEND_INTERRUPT = "SendMessage(interrupt)"
    INTERRUPT = "Interrupt"
    ARCHIVE = "SetArchived(true)"
    UNARCHIVE = "SetArchived(false)"
    REQUEST_COMPACTION = "RequestCompaction"
    CLEAR_CONTEXT = "ClearContext"
    COMMIT_STEP = "CommitStep"
    FINISH_TURN = "FinishTurn"
    FINISH_INTERRUPTION = "FinishInterruption"
    FINISH_ERROR = "FinishError"


@dataclass(frozen=True, slots=True)
class MessageSent:
    draft: UUID
    busy_behavior: BusyBehavior

    @property
    def transition(self) -> Transition:
        interrupts = self.busy_behavior is BusyBehavior.INTERRUPT
        return Transition.SEND_INTERRUPT if interrupts else Transition.SEND_QUEUE


@dataclass(frozen=True, slots=True)
class InterruptAsked:
    transition = Transition.INTERRUPT


@dataclass(frozen=True, slots=True)
class ArchivedSet:
    archived: bool

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
class TurnEnded:
    """The last step asked for nothing more, and messages are waiting."""

    transition = Transition.FINISH_TURN


@dataclass(frozen=True, slots=True)
class StepStopped:
    """Nothing of the interrupted turn is running any more."""

    transition = Transition.FINISH_INTERRUPTION


Event = (
    MessageSent
    | InterruptAsked
    | ArchivedSet
    | CompactionRequested
    | ContextCleared
    | TurnEnded
    | StepStopped
)
