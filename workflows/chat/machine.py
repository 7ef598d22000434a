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
    ActionNeeded,
    ActionTimedOut,
    ArchivedSet,
    CallsAnswered,
    CompactionRequested,
    ContextCleared,
    Event,
    InterruptAsked,
    InvalidStateReconciled,
    MessageEdited,
    MessageSent,
    QueuedDeleted,
    QueuedPromoted,
    SteeringDue,
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
        S.A0: (S.A1,),
        S.A1: (S.A1,),
    },
    T.SEND_STEER: {
        S.W: (S.R0,),
        S.E0: (S.R0,),
        S.E1: (S.R1,),
        S.R0: (S.R1,),
        S.R1: (S.R1,),
        S.I0: (S.I1,),
        S.I1: (S.I1,),
        S.A0: (S.A1,),
        S.A1: (S.A1,),
    },
    T.SEND_INTERRUPT: {
        S.W: (S.R0,),
        S.E0: (S.R0,),
        S.E1: (S.R1,),
        S.R0: (S.I1,),
        S.R1: (S.I1,),
        S.I0: (S.I1,),
        S.I1: (S.I1,),
        S.A0: (S.R1,),
        S.A1: (S.R1,),
    },
    T.EDIT_MESSAGE: dict.fromkeys((S.W, S.E0, S.E1, S.R0, S.R1, S.I0, S.I1, S.A0, S.A1), (S.R0,)),
    T.DELETE_QUEUED: {S.E1: (S.E0, S.E1), S.R1: (S.R0, S.R1), S.I1: (S.I0, S.I1), S.A1: (S.A0, S.A1)},
    T.PROMOTE_QUEUED: {S.E1: (S.R0, S.R1), S.R1: (S.I1,), S.I1: (S.I1,), S.A1: (S.R0, S.R1)},
    T.PLACE_STEERING: {S.R1: (S.R0, S.R1)},
    T.INTERRUPT: {S.R0: (S.I0,), S.R1: (S.I1,), S.A0: (S.R0,), S.A1: (S.R1,)},
    T.ARCHIVE: {S.W: (S.XW,), S.E0: (S.XE0,), S.E1: (S.XE1,)},
    T.UNARCHIVE: {S.XW: (S.W,), S.XE0: (S.E0,), S.XE1: (S.E1,)},
    T.REQUEST_COMPACTION: {S.W: (S.R0,), S.E0: (S.R0,), S.E1: (S.R1,)},
    T.CLEAR_CONTEXT: {S.W: (S.W,), S.E0: (S.W,)},
    T.COMMIT_STEP: {S.R0: (S.R0,), S.R1: (S.R1,)},
    T.ENTER_REQUIRES_ACTION: {S.R0: (S.A0,), S.R1: (S.A1,)},
    T.COMPLETE_REQUIRES_ACTION: {S.A0: (S.R0, S.A0), S.A1: (S.R1, S.A1)},
    T.CANCEL_REQUIRES_ACTION: {S.A0: (S.R0,), S.A1: (S.R1,)},
    T.FINISH_TURN: {S.R0: (S.W,), S.R1: (S.R0, S.R1)},
    T.FINISH_INTERRUPTION: {S.I0: (S.W,), S.I1: (S.R0, S.R1)},
    T.FINISH_ERROR: {S.W: (S.E0,), S.R0: (S.E0,), S.R1: (S.E1,)},
    T.RECONCILE_INVALID_STATE: {S.INVALID: (S.E0, S.E1)},
}


MAX_STEPS_PER_TURN = 1200
"""A turn that has made this many steps ends as if the model had stopped (spec chat-loop.md 1.1)."""


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
        IllegalTransition: the matrix does not allow it here, or there is nothing it could be about.
    """
    if state.name is StateName.INVALID and not isinstance(event, InvalidStateReconciled):
        raise InvalidState(state.status)
    if not allowed(event.transition, state.name) or _pointless(state, event):
        raise IllegalTransition(event.transition, state.name)
    match event:
        case MessageSent():
            return _place_message(state, event)
        case MessageEdited():
            return _cut(state, event)
        case QueuedDeleted() | QueuedPromoted():
            return _change_queue(state, event)
        case InterruptAsked():
            if state.status is ChatStatus.REQUIRES_ACTION:
                return _write(state, status=ChatStatus.RUNNING, close_calls=CallsClosedBy.INTERRUPT)
            return _write(state, status=ChatStatus.INTERRUPTING, stop_turn=True)
        case ArchivedSet(archived=archived):
            return _write(state, archived=archived, keep_compaction=True, family=True)
        case InvalidStateReconciled():
            closes = CallsClosedBy.INVALID_STATE
            return _write(state, status=ChatStatus.ERROR, archived=False, reconcile=True, close_calls=closes)
        case CompactionRequested() | ContextCleared():
            return _change_context(state, event)
        case TurnEnded() | StepStopped():
            return _end_turn(state, event)
        case _:
            return _work_on_turn(state, event)


def _work_on_turn(
    state: ChatState, event: SteeringDue | ActionNeeded | CallsAnswered | ActionTimedOut
) -> Write:
    """Writes within a turn: a compaction that is due stays due."""
    match event:
        case SteeringDue():
            return _write(state, place_steering=True, expect_step=state.step, keep_compaction=True)
        case ActionNeeded(seconds):
            status = ChatStatus.REQUIRES_ACTION
            return _write(
                state, status=status, action_seconds=seconds, expect_step=state.step, keep_compaction=True
            )
        case CallsAnswered():
            return _write(
                state,
                status=ChatStatus.RUNNING,
                draft=event.draft,
                place=event.place,
                action_seconds=event.seconds,
                expect_step=state.step,
                keep_compaction=True,
            )
        case ActionTimedOut():
            return _write(
                state,
                status=ChatStatus.RUNNING,
                close_calls=CallsClosedBy.TIMEOUT,
                expect_step=state.step,
                keep_compaction=True,
            )


def _pointless(state: ChatState, event: Event) -> bool:
    """Whether the event speaks of calls, messages or a turn that are not there."""
    match event:
        case SteeringDue():
            return not state.steering or bool(state.open_calls)
        case ActionNeeded():
            return not state.open_calls or any(call.runnable for call in state.open_calls)
        case CallsAnswered(turn=turn, step=step):
            return (turn, step) != (state.turn, state.step)
        case ArchivedSet(only_in_turn=int(turn)):
            return turn != state.turn
        case _:
            return False


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
                steers=event.transition is T.SEND_STEER,
                stop_turn=stops,
            )
        case ChatStatus.REQUIRES_ACTION:
            stops = event.transition is T.SEND_INTERRUPT
            return _write(
                state,
                status=ChatStatus.RUNNING if stops else state.status,
                draft=event.draft,
                place=Placement.QUEUE,
                steers=event.transition is T.SEND_STEER,
                keep_compaction=True,
                close_calls=CallsClosedBy.NEW_MESSAGE if stops else None,
            )


def _cut(state: ChatState, event: MessageEdited) -> Write:
    """Whatever the chat is at comes to nothing; the turn that answers the new words begins at once."""
    at_work = state.status in (ChatStatus.RUNNING, ChatStatus.INTERRUPTING)
    return _write(
        state,
        status=ChatStatus.RUNNING,
        turn=state.turn + 1,
        draft=event.draft,
        place=Placement.HISTORY,
        cut_from=event.message_id,
        close_calls=CallsClosedBy.EDIT,
        clear_error=True,
        stop_turn=at_work,
    )


def _change_queue(state: ChatState, event: QueuedDeleted | QueuedPromoted) -> Write:
    if isinstance(event, QueuedDeleted):
        return _write(state, drop_queued=event.queued_id, keep_compaction=True)
    if state.status in (ChatStatus.RUNNING, ChatStatus.INTERRUPTING):
        return _write(
            state,
            status=ChatStatus.INTERRUPTING,
            raise_queued=event.queued_id,
            stop_turn=state.status is ChatStatus.RUNNING,
        )
    return _write(
        state,
        status=ChatStatus.RUNNING,
        turn=state.turn + 1,
        raise_queued=event.queued_id,
        promote_head=True,
        close_calls=CallsClosedBy.PROMOTION,
        clear_error=True,
    )


def _change_context(state: ChatState, event: CompactionRequested | ContextCleared) -> Write:
    summarizes = isinstance(event, CompactionRequested)
    return _write(
        state,
        status=ChatStatus.RUNNING if summarizes else ChatStatus.WAITING,
        request_compaction=summarizes,
        clear_context=not summarizes,
        close_calls=CallsClosedBy.CONTEXT_CHANGE,
        clear_error=True,
    )


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
    REQUIRE_ACTION = "require_action"
    AWAIT_ACTION = "await_action"
    PLACE_STEERING = "place_steering"
    FINISH_TURN = "finish_turn"
    FINISH_INTERRUPTION = "finish_interruption"
    REST = "rest"


def next_action(state: ChatState) -> Action:
    """What a chat in this state needs done; nothing in an invalid one, until somebody reconciles it."""
    if state.name is StateName.INVALID:
        return Action.REST
    if state.status is ChatStatus.INTERRUPTING:
        return Action.FINISH_INTERRUPTION
    if state.status is ChatStatus.REQUIRES_ACTION:
        return Action.AWAIT_ACTION
    if state.status is not ChatStatus.RUNNING or state.archived:
        return Action.REST
    return _next_of_turn(state)


def _next_of_turn(state: ChatState) -> Action:
    if any(call.runnable for call in state.open_calls):
        return Action.RUN_TOOLS
    if state.open_calls:
        return Action.REQUIRE_ACTION
    if state.compaction is not None:
        return Action.COMPACT
    if state.turn_ended or state.step >= MAX_STEPS_PER_TURN:
        return Action.FINISH_TURN
    return Action.PLACE_STEERING if state.steering else Action.CALL_MODEL
