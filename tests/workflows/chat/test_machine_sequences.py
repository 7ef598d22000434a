"""Random commands against a model of the rows: the invariants hold after each, whatever the order."""

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from models.chat_state import Approval, Awaited, ChatState, ChatStatus, StateName, ToolCallRef
from models.compaction import CompactionReason, reenters
from models.store.actions import still_waits
from models.turns import BusyBehavior, CallsClosedBy, Placement, Write
from workflows.chat.events import (
    ActionNeeded,
    ActionTimedOut,
    ArchivedSet,
    CallsAnswered,
    CompactionRequested,
    ContextCleared,
    Event,
    InterruptAsked,
    MessageEdited,
    MessageSent,
    QueuedDeleted,
    QueuedPromoted,
    SteeringDue,
    StepStopped,
    TurnEnded,
)
from workflows.chat.machine import Action, IllegalTransition, allowed, decide, next_action

CALLS = {
    "ours": ToolCallRef(id="ours", name="current_time"),
    "theirs": ToolCallRef(id="theirs", name="their_tool", client=True),
    "guarded": ToolCallRef(id="guarded", name="delete", approval=Approval.PENDING),
    "theirs_guarded": ToolCallRef(id="theirs_guarded", name="t", client=True, approval=Approval.PENDING),
    "last": ToolCallRef(id="last", name="propose", stop_after=True),
}


class Rows(RuleBasedStateMachine):
    """Rows as the store would hold them, reduced to what the invariants of the design speak of."""

    def __init__(self) -> None:
        super().__init__()
        self.state = ChatState(status=ChatStatus.RUNNING)
        self.history: list[str] = ["user"]
        self.queue: list[int] = []
        self.accepted: list[int] = []
        self.delivered: list[int] = []
        self.steering: set[int] = set()
        self.dropped: list[int] = []
        self.raised: set[int] = set()
        self.drafts = 0
        self.reentries = 0

    def ask(self, event: Event, decided: frozenset[str] = frozenset()) -> None:
        """A transition is asked for. `decided`: the calls that an answer is about."""
        before = self.state
        try:
            write = decide(before, event)
        except IllegalTransition:
            late = isinstance(event, CallsAnswered) and event.step != before.step
            assert late or not allowed(event.transition, before.name)
            assert self.state == before
            return
        assert (write.expect, write.expect_turn) == (before.name, before.turn)
        open_calls = before.open_calls
        if isinstance(event, MessageSent | MessageEdited):
            self.accepted.append(event.draft.int)
            if write.place == "queue":
                self.queue.append(event.draft.int)
            if write.steers:
                self.steering.add(event.draft.int)
        open_calls = self.after_the_queue(write, open_calls)
        if isinstance(event, CallsAnswered):
            open_calls = self.answered(event, open_calls, decided)
        if write.close_calls is not None:
            late = write.close_calls is CallsClosedBy.TIMEOUT
            kept = tuple(call for call in open_calls if late and call.runnable)
            self.history += ["result"] * (len(open_calls) - len(kept))
            open_calls = kept
        if write.place_steering:
            for draft in [draft for draft in self.queue if draft in self.steering]:
                self.queue.remove(draft)
                self.enter(draft, open_calls)
        if write.promote_head:
            self.enter(self.queue.pop(0), open_calls)
        elif isinstance(event, MessageSent | MessageEdited) and write.place == "history":
            self.enter(event.draft.int, open_calls)
        new_turn = write.turn != before.turn
        waits = isinstance(event, CallsAnswered) and still_waits(open_calls)
        self.state = ChatState(
            status=ChatStatus.REQUIRES_ACTION if waits else write.status,
            archived=write.archived,
            turn=write.turn,
            queued=len(self.queue),
            steering=len(self.steering.intersection(self.queue)),
            step=0 if new_turn else before.step,
            open_calls=() if new_turn else open_calls,
            turn_ended=False if new_turn else before.turn_ended or write.request_compaction,
            compaction=self.compaction_after(write),
            snapshot_version=before.snapshot_version + 1,
        )

    def after_the_queue(self, write: Write, open_calls: tuple[ToolCallRef, ...]) -> tuple[ToolCallRef, ...]:
        """What is deleted, what is first; the calls that are still open then."""
        if write.drop_queued is not None:
            self.queue.remove(write.drop_queued)
            self.dropped.append(write.drop_queued)
        if write.raise_queued is not None:
            self.queue.remove(write.raise_queued)
            self.queue.insert(0, write.raise_queued)
            self.raised.add(write.raise_queued)
        if write.cut_from is None:
            return open_calls
        self.dropped += self.queue
        self.queue.clear()
        cut = max(place for place, role in enumerate(self.history) if role == "user")
        del self.history[cut:]
        return ()

    def compaction_after(self, write: Write) -> CompactionReason | None:
        if write.request_compaction:
            return CompactionReason.MANUAL
        return self.state.compaction if write.keep_compaction else None

    def enter(self, draft: int, open_calls: tuple[ToolCallRef, ...]) -> None:
        assert not open_calls, "a user message entered while a call was open"
        self.delivered.append(draft)
        self.history.append("user")

    def answered(
        self, event: CallsAnswered, calls: tuple[ToolCallRef, ...], decided: frozenset[str]
    ) -> tuple[ToolCallRef, ...]:
        if event.place is Placement.RESULTS:
            self.history += ["result"] * sum(call.awaits is Awaited.RESULT for call in calls)
            return tuple(call for call in calls if call.awaits is not Awaited.RESULT)
        given = {"approval": Approval.GIVEN}
        return tuple(call.model_copy(update=given) if call.id in decided else call for call in calls)

    @rule(busy=st.sampled_from(BusyBehavior))
    def send(self, busy: BusyBehavior) -> None:
        self.drafts += 1
        self.ask(MessageSent(UUID(int=self.drafts), busy))

    @rule()
    def edit(self) -> None:
        self.drafts += 1
        self.ask(MessageEdited(UUID(int=self.drafts), 1))

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), promotes=st.booleans())
    def choose_from_the_queue(self, data: st.DataObject, promotes: bool) -> None:
        chosen = data.draw(st.sampled_from(self.queue))
        self.ask(QueuedPromoted(chosen) if promotes else QueuedDeleted(chosen))

    @rule()
    def interrupt(self) -> None:
        self.ask(InterruptAsked())

    @rule(archived=st.booleans())
    def archive(self, archived: bool) -> None:
        self.ask(ArchivedSet(archived))

    @rule()
    def compact(self) -> None:
        self.ask(CompactionRequested())

    @rule()
    def clear(self) -> None:
        self.ask(ContextCleared())

    @precondition(lambda self: next_action(self.state) is Action.COMPACT)
    @rule(done=st.booleans())
    def the_summary_comes(self, done: bool) -> None:
        reason = self.state.compaction
        assert reason is not None
        if reason is CompactionReason.OVERFLOW and not done:
            self.state = self.state.model_copy(update={"status": ChatStatus.ERROR, "compaction": None})
            return
        goes_on = done and reenters(reason, turn_ended=self.state.turn_ended, reentries=self.reentries)
        self.reentries += goes_on
        ended = self.state.turn_ended and not goes_on
        status = ChatStatus.WAITING if ended and not self.queue else ChatStatus.RUNNING
        self.state = self.state.model_copy(update={"compaction": None, "turn_ended": ended, "status": status})

    @precondition(lambda self: next_action(self.state) is Action.CALL_MODEL)
    @rule()
    def the_prompt_is_too_long(self) -> None:
        self.state = self.state.model_copy(update={"compaction": CompactionReason.OVERFLOW})

    @precondition(lambda self: next_action(self.state) is Action.CALL_MODEL)
    @rule(calls=st.sets(st.sampled_from(sorted(CALLS))), fails=st.booleans(), full=st.booleans())
    def the_model_answers(self, calls: set[str], fails: bool, full: bool) -> None:
        if fails:
            self.state = self.state.model_copy(update={"status": ChatStatus.ERROR})
            return
        self.history.append("assistant")
        done = not calls and not self.queue and not full
        self.state = self.state.model_copy(
            update={
                "step": self.state.step + 1,
                "open_calls": tuple(CALLS[name] for name in sorted(calls)),
                "turn_ended": not calls,
                "compaction": CompactionReason.THRESHOLD if full else None,
                "status": ChatStatus.WAITING if done else ChatStatus.RUNNING,
            }
        )

    @precondition(lambda self: next_action(self.state) is Action.RUN_TOOLS)
    @rule()
    def the_tools_answer(self) -> None:
        ran = [call for call in self.state.open_calls if call.runnable]
        left = tuple(call for call in self.state.open_calls if not call.runnable)
        self.history += ["result"] * len(ran)
        ended = self.state.turn_ended or any(call.stop_after for call in ran)
        rests = ended and not left and not self.queue and self.state.compaction is None
        self.state = self.state.model_copy(
            update={
                "open_calls": left,
                "turn_ended": ended,
                "status": ChatStatus.WAITING if rests else ChatStatus.RUNNING,
            }
        )

    @precondition(lambda self: next_action(self.state) is Action.REQUIRE_ACTION)
    @rule()
    def the_calls_wait_for_somebody(self) -> None:
        self.ask(ActionNeeded(300))
        assert self.state.status is ChatStatus.REQUIRES_ACTION

    @precondition(lambda self: self.state.status is ChatStatus.REQUIRES_ACTION)
    @rule(data=st.data(), place=st.sampled_from([Placement.RESULTS, Placement.APPROVALS]), late=st.booleans())
    def somebody_answers(self, data: st.DataObject, place: Placement, late: bool) -> None:
        self.drafts += 1
        step = self.state.step - late
        undecided = [call.id for call in self.state.open_calls if call.awaits is Awaited.APPROVAL]
        decided = data.draw(st.frozensets(st.sampled_from(undecided))) if undecided else frozenset[str]()
        event = CallsAnswered(UUID(int=self.drafts), place, self.state.turn, step, seconds=300)
        self.ask(event, decided)

    @precondition(lambda self: self.state.status is ChatStatus.REQUIRES_ACTION)
    @rule()
    def nobody_answers(self) -> None:
        self.ask(ActionTimedOut())
        assert all(call.runnable for call in self.state.open_calls)

    @precondition(lambda self: next_action(self.state) is Action.PLACE_STEERING)
    @rule()
    def the_turn_is_steered(self) -> None:
        turn = self.state.turn
        self.ask(SteeringDue())
        assert (self.state.turn, self.state.steering) == (turn, 0)

    @precondition(lambda self: next_action(self.state) is Action.FINISH_TURN)
    @rule()
    def the_turn_is_finished(self) -> None:
        self.ask(TurnEnded())

    @precondition(lambda self: next_action(self.state) is Action.FINISH_INTERRUPTION)
    @rule()
    def the_interruption_is_finished(self) -> None:
        self.ask(StepStopped())

    @invariant()
    def the_state_is_never_invalid(self) -> None:
        assert self.state.name is not StateName.INVALID

    @invariant()
    def no_accepted_message_is_lost_doubled_or_reordered(self) -> None:
        known = self.delivered + self.queue
        assert sorted(known + self.dropped) == self.accepted
        for kind in (self.steering, set(self.accepted) - self.steering):
            of_kind = [draft for draft in known if draft in kind - self.raised]
            assert of_kind == sorted(of_kind)

    @invariant()
    def a_chat_in_motion_has_something_to_do_and_one_at_rest_has_not(self) -> None:
        assert (next_action(self.state) is Action.REST) == self.state.at_rest

    @invariant()
    def a_chat_that_requires_an_action_has_a_call_that_awaits_one(self) -> None:
        if self.state.status is ChatStatus.REQUIRES_ACTION:
            assert any(call.awaits for call in self.state.open_calls)

    @invariant()
    def a_waiting_chat_has_an_empty_queue(self) -> None:
        if self.state.status is ChatStatus.WAITING:
            assert self.queue == []


Rows.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestRandomCommands = Rows.TestCase
