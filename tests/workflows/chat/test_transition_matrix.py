"""Every cell of the matrix: what is allowed lands where it says, everything else changes nothing."""

from uuid import UUID

import pytest

from models.chat_state import Approval, Awaited, ChatState, ChatStatus, StateName, ToolCallRef
from models.compaction import CompactionReason
from models.turns import BusyBehavior, Placement
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
from workflows.chat.machine import (
    MATRIX,
    MAX_STEPS_PER_TURN,
    Action,
    IllegalTransition,
    InvalidState,
    allowed,
    decide,
    next_action,
)

DRAFT = UUID(int=7)

CLIENT_CALL = ToolCallRef(id="call", name="their_tool", client=True)

STATES = {
    StateName.W: ChatState(status=ChatStatus.WAITING),
    StateName.E0: ChatState(status=ChatStatus.ERROR),
    StateName.E1: ChatState(status=ChatStatus.ERROR, queued=2),
    StateName.R0: ChatState(status=ChatStatus.RUNNING),
    StateName.R1: ChatState(status=ChatStatus.RUNNING, queued=2),
    StateName.I0: ChatState(status=ChatStatus.INTERRUPTING),
    StateName.I1: ChatState(status=ChatStatus.INTERRUPTING, queued=2),
    StateName.A0: ChatState(status=ChatStatus.REQUIRES_ACTION, open_calls=(CLIENT_CALL,)),
    StateName.A1: ChatState(status=ChatStatus.REQUIRES_ACTION, open_calls=(CLIENT_CALL,), queued=2),
    StateName.XW: ChatState(status=ChatStatus.WAITING, archived=True),
    StateName.XE0: ChatState(status=ChatStatus.ERROR, archived=True),
    StateName.XE1: ChatState(status=ChatStatus.ERROR, archived=True, queued=2),
}

EVENTS: list[Event] = [
    MessageSent(DRAFT, BusyBehavior.QUEUE),
    MessageSent(DRAFT, BusyBehavior.INTERRUPT),
    MessageSent(DRAFT, BusyBehavior.STEER),
    MessageEdited(DRAFT, 17),
    QueuedDeleted(4),
    QueuedPromoted(4),
    InterruptAsked(),
    ArchivedSet(True),
    ArchivedSet(False),
    CompactionRequested(),
    ContextCleared(),
    InvalidStateReconciled(),
    TurnEnded(),
    StepStopped(),
    SteeringDue(),
    ActionNeeded(300),
    CallsAnswered(DRAFT, Placement.RESULTS, turn=1, step=0, seconds=300),
    CallsAnswered(DRAFT, Placement.APPROVALS, turn=1, step=0, seconds=300),
    ActionTimedOut(),
]

WITH_WHAT_IT_IS_ABOUT = {
    Transition.PLACE_STEERING: {"steering": 1},
    Transition.ENTER_REQUIRES_ACTION: {"open_calls": (CLIENT_CALL,)},
}

CELLS = [(event, name) for event in EVENTS for name in STATES]


def after(state: ChatState, event: Event) -> ChatState:
    """The state a decided write leaves behind, as the store applies it."""
    write = decide(state, event)
    placed = write.draft is not None and write.place == "queue"
    gone = write.promote_head + (write.drop_queued is not None)
    queued = state.queued + placed - gone - (state.steering if write.place_steering else 0)
    queued = 0 if write.cut_from is not None else queued
    return ChatState(status=write.status, archived=write.archived, queued=queued, turn=write.turn)


@pytest.mark.parametrize(("event", "name"), CELLS, ids=lambda x: getattr(x, "transition", x))
def test_every_cell_is_decided_as_the_matrix_says(event: Event, name: StateName):
    state = STATES[name].model_copy(update=WITH_WHAT_IT_IS_ABOUT.get(event.transition, {}))
    if allowed(event.transition, name):
        assert after(state, event).name in MATRIX[event.transition][name]
    else:
        with pytest.raises(IllegalTransition) as caught:
            decide(state, event)
        assert (caught.value.transition, caught.value.state) == (event.transition, name)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (STATES[StateName.R1], SteeringDue()),
        (
            STATES[StateName.R1].model_copy(update={"steering": 1, "open_calls": (CLIENT_CALL,)}),
            SteeringDue(),
        ),
        (STATES[StateName.R0], ActionNeeded(1)),
        (
            STATES[StateName.R0].model_copy(
                update={"open_calls": (CLIENT_CALL, ToolCallRef(id="other", name="ours"))}
            ),
            ActionNeeded(1),
        ),
        (STATES[StateName.A0], CallsAnswered(DRAFT, Placement.RESULTS, turn=1, step=1, seconds=300)),
        (STATES[StateName.A0], CallsAnswered(DRAFT, Placement.RESULTS, turn=2, step=0, seconds=300)),
    ],
)
def test_what_is_about_nothing_is_not_allowed(state: ChatState, event: Event):
    assert allowed(event.transition, state.name)
    with pytest.raises(IllegalTransition):
        decide(state, event)


RUNS = ToolCallRef(id="runs", name="ours")
ASKS = ToolCallRef(id="asks", name="ours", approval=Approval.PENDING)
MAY = ToolCallRef(id="may", name="ours", approval=Approval.GIVEN)


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({}, Action.CALL_MODEL),
        ({"open_calls": (CLIENT_CALL, RUNS)}, Action.RUN_TOOLS),
        ({"open_calls": (CLIENT_CALL, MAY)}, Action.RUN_TOOLS),
        ({"open_calls": (CLIENT_CALL, ASKS), "turn_ended": True}, Action.REQUIRE_ACTION),
        ({"queued": 1, "steering": 1}, Action.PLACE_STEERING),
        ({"queued": 1, "steering": 1, "open_calls": (RUNS,)}, Action.RUN_TOOLS),
        ({"queued": 1, "steering": 1, "turn_ended": True}, Action.FINISH_TURN),
        ({"queued": 1}, Action.CALL_MODEL),
        ({"step": MAX_STEPS_PER_TURN - 1}, Action.CALL_MODEL),
        ({"step": MAX_STEPS_PER_TURN}, Action.FINISH_TURN),
        ({"step": MAX_STEPS_PER_TURN, "open_calls": (RUNS,)}, Action.RUN_TOOLS),
        ({"status": ChatStatus.REQUIRES_ACTION, "open_calls": (CLIENT_CALL,)}, Action.AWAIT_ACTION),
        ({"status": ChatStatus.INTERRUPTING, "open_calls": (RUNS,)}, Action.FINISH_INTERRUPTION),
        ({"status": ChatStatus.WAITING, "open_calls": (RUNS,)}, Action.REST),
    ],
)
def test_what_a_state_needs_done(changes: dict[str, object], action: Action):
    state = ChatState(status=ChatStatus.RUNNING).model_copy(update=changes)
    assert next_action(state) is action


@pytest.mark.parametrize(
    ("call", "awaits"),
    [
        (RUNS, None),
        (MAY, None),
        (ASKS, Awaited.APPROVAL),
        (CLIENT_CALL, Awaited.RESULT),
        (CLIENT_CALL.model_copy(update={"approval": Approval.PENDING}), Awaited.APPROVAL),
        (CLIENT_CALL.model_copy(update={"approval": Approval.GIVEN}), Awaited.RESULT),
    ],
)
def test_a_call_says_where_it_runs_by_what_it_awaits(call: ToolCallRef, awaits: Awaited | None):
    assert (call.awaits, call.runnable) == (awaits, awaits is None)


def test_the_last_queued_message_leaves_an_empty_queue():
    for status, event, name in (
        (ChatStatus.RUNNING, TurnEnded(), StateName.R0),
        (ChatStatus.INTERRUPTING, StepStopped(), StateName.R0),
        (ChatStatus.ERROR, QueuedPromoted(4), StateName.R0),
        (ChatStatus.REQUIRES_ACTION, QueuedPromoted(4), StateName.R0),
        (ChatStatus.ERROR, QueuedDeleted(4), StateName.E0),
        (ChatStatus.RUNNING, QueuedDeleted(4), StateName.R0),
        (ChatStatus.INTERRUPTING, QueuedDeleted(4), StateName.I0),
        (ChatStatus.REQUIRES_ACTION, QueuedDeleted(4), StateName.A0),
    ):
        assert after(ChatState(status=status, queued=1), event).name is name


def test_a_chat_is_archived_only_in_the_turn_that_was_seen():
    state = ChatState(status=ChatStatus.WAITING, turn=3)
    assert decide(state, ArchivedSet(True, only_in_turn=3)).archived
    with pytest.raises(IllegalTransition):
        decide(state, ArchivedSet(True, only_in_turn=2))


def test_every_transition_of_the_specification_is_in_the_matrix():
    assert set(MATRIX) == set(Transition)
    for transition, cells in MATRIX.items():
        assert all(cells.values()), transition


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.transition)
@pytest.mark.parametrize(
    "state",
    [
        ChatState(status=ChatStatus.WAITING, queued=1),
        ChatState(status=ChatStatus.RUNNING, archived=True),
        ChatState(status=ChatStatus.INTERRUPTING, archived=True, queued=1),
        ChatState(status=ChatStatus.WAITING, archived=True, queued=1),
    ],
    ids=lambda s: f"{s.status}-{s.archived}-{s.queued}",
)
def test_an_invalid_combination_admits_nothing_but_being_reconciled(event: Event, state: ChatState):
    assert state.name is StateName.INVALID
    assert next_action(state) is Action.REST
    if isinstance(event, InvalidStateReconciled):
        assert after(state, event).name is (StateName.E1 if state.queued else StateName.E0)
    else:
        with pytest.raises(InvalidState):
            decide(state, event)


@pytest.mark.parametrize("status", list(ChatStatus))
@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("queued", [0, 1])
def test_the_classifier_names_every_combination(status: ChatStatus, archived: bool, queued: int):
    state = ChatState(status=status, archived=archived, queued=queued)
    names = [
        name
        for name, known in STATES.items()
        if (known.status, known.archived, known.queued > 0) == (status, archived, queued > 0)
    ]
    assert state.name is (names[0] if names else StateName.INVALID)


@pytest.mark.parametrize("reason", list(CompactionReason))
def test_a_due_compaction_comes_after_open_calls_and_before_anything_else(reason: CompactionReason):
    due = ChatState(status=ChatStatus.RUNNING, turn_ended=True, compaction=reason)
    assert next_action(due) is Action.COMPACT
    calls = (ToolCallRef(id="c", name="n"),)
    assert next_action(due.model_copy(update={"open_calls": calls})) is Action.RUN_TOOLS
    stopping = due.model_copy(update={"status": ChatStatus.INTERRUPTING})
    assert next_action(stopping) is Action.FINISH_INTERRUPTION


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.transition)
@pytest.mark.parametrize("name", list(STATES))
def test_only_archiving_and_changes_of_the_queue_carry_a_compaction_request(event: Event, name: StateName):
    within_the_turn = (SteeringDue, ActionNeeded, CallsAnswered, ActionTimedOut)
    if not allowed(event.transition, name) or isinstance(event, within_the_turn):
        return
    write = decide(STATES[name], event)
    busy = STATES[name].status not in (ChatStatus.WAITING, ChatStatus.ERROR)
    carries = isinstance(event, ArchivedSet | QueuedDeleted) or (isinstance(event, MessageSent) and busy)
    assert write.keep_compaction is carries


STREAMING = (StateName.R0, StateName.R1, StateName.I0, StateName.I1)


@pytest.mark.parametrize("name", [name for name in STATES if allowed(Transition.EDIT_MESSAGE, name)])
def test_an_edit_begins_a_turn_of_its_own_and_stops_what_runs(name: StateName):
    write = decide(STATES[name], MessageEdited(DRAFT, 17))
    assert (write.expect_turn, write.turn) == (STATES[name].turn, STATES[name].turn + 1)
    assert write.stop_turn is (name in STREAMING)


def test_a_promotion_interrupts_what_runs_and_starts_a_turn_where_nothing_does():
    running = decide(STATES[StateName.R1], QueuedPromoted(4))
    assert (running.stop_turn, running.promote_head, running.turn) == (True, False, 1)
    stopping = decide(STATES[StateName.I1], QueuedPromoted(4))
    assert (stopping.stop_turn, stopping.promote_head, stopping.turn) == (False, False, 1)
    for name in (StateName.E1, StateName.A1):
        resting = decide(STATES[name], QueuedPromoted(4))
        assert (resting.stop_turn, resting.promote_head, resting.turn) == (False, True, 2)
        assert resting.clear_error
