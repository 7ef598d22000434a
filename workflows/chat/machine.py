"""The chat's state machine: no I/O, no clock, no ids, nothing of Temporal.

Two questions are answered here. `decide`: which write does an event ask for, if the state admits it?
`next_action`: what has to be done in this state while nobody asks for anything?

`MATRIX` is the specification (state-machine.md section 2) as data; documentation and tests are derived
from it. Create, CommitStep and FinishError are made by whoever holds their content (the door that stores
a new chat, the activity that holds an answer or its failure), inside their own transaction; the matrix
holds them, too, and the store's tests check them against it.
"""

from collections.abc import Mapping
from enum import StrEnum

from models.chat_state import ChatState, ChatStatus, StateName
from models.turns import CallsClosedBy, Placement, Write
from workflows.chat.events import (
    ArchivedSet,
    CompactionRequested,
    ContextCleared,
    Event,
    InterruptAsked,
    MessageSent,
    StepStopped,
    Transition,
    TurnEnded,
)

S = StateName
T = Transition

MATRIX: Mapping[Transition, Mapping[StateName, tuple[StateName, ...]]] = {
    T.CREATE: {},  # from no state at all, to R0
    T.SEND_QUEUE: {
        S.W: (S.R0,),
        S.E0: (S.R0,),
        S.E1: (S.R1,),
        S.R0: (S.R1,),
        S.R1: (S.R1,),
        S.I0: (S.I1,),
        S.I1: (S.I1,),
    },
    T.SEND_INTERRUPT: {
        S.W: (S.R0,),
        S.E0: (S.R0,),
        S.E1: (S.R1,),
        S.R0: (S.I1,),
        S.R1: (S.I1,),
        S.I0: (S.I1,),
        S.I1: (S.I1,),
    },
    T.INTERRUPT: {S.R0: (S.I0,), S.R1: (S.I1,)},
    T.ARCHIVE: {S.W: (S.XW,), S.E0: (S.XE0,), S.E1: (S.XE1,)},
    T.UNARCHIVE: {S.XW: (S.W,), S.XE0: (S.E0,), S.XE1: (S.E1,)},
    T.REQUEST_COMPACTION: {S.W: (S.R0,), S.E0: (S.R0,), S.E1: (S.R1,)},
    T.CLEAR_CONTEXT: {S.W: (S.W,), S.E0: (S.W,)},
    T.COMMIT_STEP: {S.R0: (S.R0,), S.R1: (S.R1,)},
    T.FINISH_TURN: {S.R0: (S.W,), S.R1: (S.R0, S.R1)},
    T.FINISH_INTERRUPTION: {S.I0: (S.W,), S.I1: (S.R0, S.R1)},
    T.FINISH_ERROR: {S.W: (S.E0,), S.R0: (S.E0,), S.R1: (S.E1,)},
}


class IllegalTransition(Exception):
    """The state does not admit the transition; nothing has changed."""

    def __init__(self, transition: Transition, state: StateName) -> None:
        super().__init__(f"{transition} is not allowed in state {state}")
        self.transition = transition
        self.state = state


class InvalidState(Exception):
    """The chat is in a combination no transition leads to; only a reconcile helps."""


def allowed(transition: Transition, state: StateName) -> tuple[StateName, ...]:
    """The states this transition may lead to from here; empty when it is not allowed."""
    return MATRIX[transition].get(state, ())


def decide(state: ChatState, event: Event) -> Write:
    """The write an event asks for.

    Raises:
        InvalidState: the chat's state is not one of the matrix.
        IllegalTransition: the matrix does not allow it here.
    """
    if state.name is StateName.INVALID:
        raise InvalidState(state.status)
    if not allowed(event.transition, state.name):
        raise IllegalTransition(event.transition, state.name)
    match event:
        case MessageSent():
            return _place_message(state, event)
        case InterruptAsked():
            return _write(state, status=ChatStatus.INTERRUPTING, stop_turn=True)
        case ArchivedSet(archived):
            return _write(state, archived=archived, keep_compaction=True)
        case CompactionRequested():
            return _change_context(state, status=ChatStatus.RUNNING, request_compaction=True)
        case ContextCleared():
            return _change_context(state, status=ChatStatus.WAITING, clear_context=True)
        case TurnEnded() | StepStopped():
            return _end_turn(state, event)


def _place_message(state: ChatState, event: MessageSent) -> Write:
    match state.status:
        case ChatStatus.WAITING | ChatStatus.ERROR:
            backlog = state.queued > 0  # after an error: the oldest message runs, the new one is last
            return _write(
                state,
                status=ChatStatus.RUNNING,
                turn=state.turn + 1,
                draft=event.draft,
                place=Placement.QUEUE if backlog else Placement.HISTORY,
                promote_head=backlog,
                close_calls=CallsClosedBy.NEW_MESSAGE,
                clear_error=True,
            )
        case ChatStatus.RUNNING | ChatStatus.INTERRUPTING:
            stops = state.status is ChatStatus.RUNNING and event.transition is T.SEND_INTERRUPT
            return _write(
                state,
                status=ChatStatus.INTERRUPTING if stops else state.status,
                draft=event.draft,
                place=Placement.QUEUE,
                keep_compaction=True,
                stop_turn=stops,
            )


def _change_context(state: ChatState, **changes: object) -> Write:
    return _write(state, close_calls=CallsClosedBy.CONTEXT_CHANGE, clear_error=True, **changes)


def _end_turn(state: ChatState, event: TurnEnded | StepStopped) -> Write:
    why = CallsClosedBy.INTERRUPT if isinstance(event, StepStopped) else CallsClosedBy.PROMOTION
    if state.queued == 0:
        return _write(state, status=ChatStatus.WAITING, close_calls=why)
    return _write(state, status=ChatStatus.RUNNING, turn=state.turn + 1, promote_head=True, close_calls=why)


def _write(state: ChatState, **changes: object) -> Write:
    unchanged = {"status": state.status, "archived": state.archived, "turn": state.turn}
    return Write.model_validate({"expect": state.name, "expect_turn": state.turn, **unchanged, **changes})


class Action(StrEnum):
    """What a chat's workflow does when no command is waiting."""

    CALL_MODEL = "call_model"
    RUN_TOOLS = "run_tools"
    COMPACT = "compact"
    FINISH_TURN = "finish_turn"
    FINISH_INTERRUPTION = "finish_interruption"
    REST = "rest"


def next_action(state: ChatState) -> Action:
    """What a chat in this state needs done."""
    if state.status is ChatStatus.INTERRUPTING:
        return Action.FINISH_INTERRUPTION
    if state.status is not ChatStatus.RUNNING or state.archived:
        return Action.REST
    if state.open_calls:
        return Action.RUN_TOOLS
    if state.compaction is not None:
        return Action.COMPACT
    if state.turn_ended:
        return Action.FINISH_TURN
    return Action.CALL_MODEL
