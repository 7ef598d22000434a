"""Every cell of the matrix: what is allowed lands where it says, everything else changes nothing."""

from uuid import UUID

import pytest

from models.chat_state import ChatState, ChatStatus, StateName, ToolCallRef
from models.compaction import CompactionReason
from models.turns import BusyBehavior
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
from workflows.chat.machine import (
    MATRIX,
    Action,
    IllegalTransition,
    InvalidState,
    allowed,
    decide,
    next_action,
)

DRAFT = UUID(int=7)

STATES = {
    StateName.W: ChatState(status=ChatStatus.WAITING),
    StateName.E0: ChatState(status=ChatStatus.ERROR),
    StateName.E1: ChatState(status=ChatStatus.ERROR, queued=2),
    StateName.R0: ChatState(status=ChatStatus.RUNNING),
    StateName.R1: ChatState(status=ChatStatus.RUNNING, queued=2),
    StateName.I0: ChatState(status=ChatStatus.INTERRUPTING),
    StateName.I1: ChatState(status=ChatStatus.INTERRUPTING, queued=2),
    StateName.XW: ChatState(status=ChatStatus.WAITING, archived=True),
    StateName.XE0: ChatState(status=ChatStatus.ERROR, archived=True),
    StateName.XE1: ChatState(status=ChatStatus.ERROR, archived=True, queued=2),
}

EVENTS: list[Event] = [
    MessageSent(DRAFT, BusyBehavior.QUEUE),
    MessageSent(DRAFT, BusyBehavior.INTERRUPT),
    InterruptAsked(),
    ArchivedSet(True),
    ArchivedSet(False),
    CompactionRequested(),
    ContextCleared(),
    TurnEnded(),
    StepStopped(),
]

CELLS = [(event, name) for event in EVENTS for name in STATES]


def after(state: ChatState, event: Event) -> ChatState:
    """The state a decided write leaves behind, as the store applies it."""
    write = decide(state, event)
    placed = write.draft is not None and write.place == "queue"
    queued = state.queued + placed - write.promote_head
    return ChatState(status=write.status, archived=write.archived, queued=queued, turn=write.turn)


@pytest.mark.parametrize(("event", "name"), CELLS, ids=lambda x: getattr(x, "transition", x))
def test_every_cell_is_decided_as_the_matrix_says(event: Event, name: StateName):
    state = STATES[name]
    if allowed(event.transition, name):
        assert after(state, event).name in MATRIX[event.transition][name]
    else:
        with pytest.raises(IllegalTransition) as caught:
            decide(state, event)
        assert (caught.value.transition, caught.value.state) == (event.transition, name)


def test_the_last_queued_message_leaves_an_empty_queue():
    for event, name in ((TurnEnded(), StateName.R0), (StepStopped(), StateName.R0)):
        status = ChatStatus.RUNNING if isinstance(event, TurnEnded) else ChatStatus.INTERRUPTING
        assert after(ChatState(status=status, queued=1), event).name is name


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
def test_an_invalid_combination_admits_nothing(event: Event, state: ChatState):
    assert state.name is StateName.INVALID
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
def test_only_archiving_and_queueing_carry_a_compaction_request(event: Event, name: StateName):
    if not allowed(event.transition, name):
        return
    write = decide(STATES[name], event)
    busy = name in (StateName.R0, StateName.R1, StateName.I0, StateName.I1)
    carries = isinstance(event, ArchivedSet) or (isinstance(event, MessageSent) and busy)
    assert write.keep_compaction is carries
