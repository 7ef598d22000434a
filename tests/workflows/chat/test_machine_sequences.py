"""Random commands against a model of the rows: the invariants hold after each, whatever the order."""

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from models.chat_state import ChatState, ChatStatus, StateName, ToolCallRef
from models.compaction import CompactionReason, reenters
from models.turns import BusyBehavior, Write
from workflows.chat.events import (
    ArchivedSet,
    CompactionRequested,
    ContextCleared,
    Event,
    InterruptAsked,
    MessageSent,
    StepStopped,
    TurnEnded,
)
from workflows.chat.machine import Action, IllegalTransition, allowed, decide, next_action

CALL = ToolCallRef(id="call", name="current_time")


class Rows(RuleBasedStateMachine):
    """Rows as the store would hold them, reduced to what the invariants of the design speak of."""

    def __init__(self) -> None:
        super().__init__()
        self.state = ChatState(status=ChatStatus.RUNNING)
        self.history: list[str] = ["user"]
        self.queue: list[int] = []
        self.accepted: list[int] = []
        self.delivered: list[int] = []
        self.drafts = 0
        self.reentries = 0

    def ask(self, event: Event) -> None:
        before = self.state
        try:
            write = decide(before, event)
        except IllegalTransition:
            assert not allowed(event.transition, before.name)
            assert self.state == before
            return
        assert (write.expect, write.expect_turn) == (before.name, before.turn)
        open_calls = before.open_calls
        if isinstance(event, MessageSent):
            self.accepted.append(event.draft.int)
            if write.place == "queue":
                self.queue.append(event.draft.int)
        if write.close_calls is not None:
            self.history += ["result"] * len(open_calls)
            open_calls = ()
        if write.promote_head:
            self.enter(self.queue.pop(0), open_calls)
        elif isinstance(event, MessageSent) and write.place == "history":
            self.enter(event.draft.int, open_calls)
        new_turn = write.turn != before.turn
        self.state = ChatState(
            status=write.status,
            archived=write.archived,
            turn=write.turn,
            queued=len(self.queue),
            step=0 if new_turn else before.step,
            open_calls=() if new_turn else open_calls,
            turn_ended=False if new_turn else before.turn_ended or write.request_compaction,
            compaction=self.compaction_after(write),
            snapshot_version=before.snapshot_version + 1,
        )

    def compaction_after(self, write: Write) -> CompactionReason | None:
        if write.request_compaction:
            return CompactionReason.MANUAL
        return self.state.compaction if write.keep_compaction else None

    def enter(self, draft: int, open_calls: tuple[ToolCallRef, ...]) -> None:
        assert not open_calls, "a user message entered while a call was open"
        self.delivered.append(draft)
        self.history.append("user")

    @rule(busy=st.sampled_from(BusyBehavior))
    def send(self, busy: BusyBehavior) -> None:
        self.drafts += 1
        self.ask(MessageSent(UUID(int=self.drafts), busy))

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
    @rule(calls=st.booleans(), fails=st.booleans(), full=st.booleans())
    def the_model_answers(self, calls: bool, fails: bool, full: bool) -> None:
        if fails:
            self.state = self.state.model_copy(update={"status": ChatStatus.ERROR})
            return
        self.history.append("assistant")
        done = not calls and not self.queue and not full
        self.state = self.state.model_copy(
            update={
                "step": self.state.step + 1,
                "open_calls": (CALL,) if calls else (),
                "turn_ended": not calls,
                "compaction": CompactionReason.THRESHOLD if full else None,
                "status": ChatStatus.WAITING if done else ChatStatus.RUNNING,
            }
        )

    @precondition(lambda self: next_action(self.state) is Action.RUN_TOOLS)
    @rule()
    def the_tools_answer(self) -> None:
        self.history.append("result")
        self.state = self.state.model_copy(update={"open_calls": ()})

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
        assert self.delivered + self.queue == self.accepted

    @invariant()
    def a_chat_in_motion_has_something_to_do_and_one_at_rest_has_not(self) -> None:
        assert (next_action(self.state) is Action.REST) == self.state.at_rest

    @invariant()
    def a_waiting_chat_has_an_empty_queue(self) -> None:
        if self.state.status is ChatStatus.WAITING:
            assert self.queue == []


Rows.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestRandomCommands = Rows.TestCase
