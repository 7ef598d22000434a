"""The chat as a durable workflow: the only writer of its execution state.

Updates bring commands: the machine decides the write, a local activity commits it, the caller gets the
receipt. The main loop does what the state asks for, one action at a time, and rests. All state is
`ChatState`, a copy of the row; every commit brings the newer copy.
"""

import asyncio
from datetime import timedelta
from typing import Any, cast

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities import contract
    from models.chat_state import ChatState, ChatStatus, ToolCallRef
    from models.compaction import CompactionReason
    from models.turns import (
        AnswerCalls,
        ChatNaming,
        ChatStart,
        Commit,
        Compaction,
        EditMessage,
        ModelCall,
        QueuedMessageRef,
        Receipt,
        ResultsCommit,
        SendMessage,
        SetArchived,
        StepEnd,
        ToolEnd,
        ToolRun,
        TurnLabel,
        Verdict,
        Write,
    )
    from workflows.chat import policies
    from workflows.chat.beside import Beside
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
        TurnEnded,
    )
    from workflows.chat.machine import Action, IllegalTransition, InvalidState, decide, next_action


_STATUS = SearchAttributeKey.for_keyword("PerdureStatus")

_NOT_ALLOWED = "TransitionNotAllowed"
_INVALID = "InvalidState"


@workflow.defn(name="ChatWorkflow")
class ChatWorkflow:
    @workflow.init
    def __init__(self, start: ChatStart) -> None:
        self._start = start
        self._state = start.state
        self._writing = asyncio.Lock()
        self._in_flight: list[workflow.ActivityHandle[Any]] = []
        self._alarm: asyncio.Task[None] | None = None
        self._beside = Beside()
        self._show_state()

    @workflow.run
    async def run(self, start: ChatStart) -> None:
        """Work until the chat has rested for its idle time; the next command starts a new run."""
        self._name_chat()
        while True:
            self._hand_over_when_long()
            match next_action(self._state):
                case Action.CALL_MODEL:
                    await self._call_model()
                case Action.RUN_TOOLS:
                    await self._run_tools()
                case Action.COMPACT:
                    await self._compact()
                case Action.REQUIRE_ACTION:
                    await self._settle(ActionNeeded(self._start.action_seconds))
                case Action.AWAIT_ACTION:
                    await self._await_action()
                case Action.PLACE_STEERING:
                    await self._settle(SteeringDue())
                case Action.FINISH_TURN:
                    await self._finish_turn()
                case Action.FINISH_INTERRUPTION:
                    await self._settle(StepStopped())
                case Action.REST:
                    if await self._rested():
                        return

    @workflow.update(description="Deliver a stored message: it enters history or waits in the queue")
    async def send_message(self, command: SendMessage) -> Receipt:
        return await self._command(MessageSent(command.draft_id, command.busy_behavior))

    @send_message.validator
    def _admit_message(self, command: SendMessage) -> None:
        self._admit(MessageSent(command.draft_id, command.busy_behavior))

    @workflow.update(description="Put a stored message in the place of another and of all behind it")
    async def edit_message(self, command: EditMessage) -> Receipt:
        return await self._command(MessageEdited(command.draft_id, command.message_id))

    @edit_message.validator
    def _admit_edit(self, command: EditMessage) -> None:
        self._admit(MessageEdited(command.draft_id, command.message_id))

    @workflow.update(description="Take a message out of the queue")
    async def delete_queued(self, command: QueuedMessageRef) -> Receipt:
        return await self._command(QueuedDeleted(command.queued_id))

    @delete_queued.validator
    def _admit_queue_deletion(self, command: QueuedMessageRef) -> None:
        self._admit(QueuedDeleted(command.queued_id))

    @workflow.update(description="Answer a message of the queue next, and stop the running turn for it")
    async def promote_queued(self, command: QueuedMessageRef) -> Receipt:
        return await self._command(QueuedPromoted(command.queued_id))

    @promote_queued.validator
    def _admit_promotion(self, command: QueuedMessageRef) -> None:
        self._admit(QueuedPromoted(command.queued_id))

    @workflow.update(description="Stop the running turn and keep what there is of its answer")
    async def interrupt(self) -> Receipt:
        return await self._command(InterruptAsked())

    @interrupt.validator
    def _admit_interrupt(self) -> None:
        self._admit(InterruptAsked())

    @workflow.update(description="Deliver stored results or approvals to the calls that wait for them")
    async def answer_calls(self, command: AnswerCalls) -> Receipt:
        return await self._command(self._answered(command))

    @answer_calls.validator
    def _admit_answers(self, command: AnswerCalls) -> None:
        self._admit(self._answered(command))

    def _answered(self, command: AnswerCalls) -> CallsAnswered:
        seconds = self._start.action_seconds
        return CallsAnswered(command.draft_id, command.place, command.turn, command.step, seconds)

    @workflow.update(description="Archive or unarchive the chat")
    async def set_archived(self, command: SetArchived) -> Receipt:
        return await self._command(ArchivedSet(command.archived, command.only_in_turn))

    @set_archived.validator
    def _admit_archived(self, command: SetArchived) -> None:
        self._admit(ArchivedSet(command.archived, command.only_in_turn))

    @workflow.update(description="Summarize the conversation, so that the next prompt is short")
    async def compact(self) -> Receipt:
        return await self._command(CompactionRequested())

    @compact.validator
    def _admit_compaction(self) -> None:
        self._admit(CompactionRequested())

    @workflow.update(description="Let the next prompt begin without the conversation so far")
    async def clear(self) -> Receipt:
        return await self._command(ContextCleared())

    @clear.validator
    def _admit_clearing(self) -> None:
        self._admit(ContextCleared())

    @workflow.update(description="Bring a chat back that is in no state of the matrix")
    async def reconcile_invalid(self) -> Receipt:
        return await self._command(InvalidStateReconciled())

    def _admit(self, event: Event) -> None:
        """Refuse an illegal command without a trace in the history.

        While an activity is in flight the row may be ahead of our copy (a step that ended the turn), so
        the decision is left to the handler.
        """
        if not self._in_flight:
            self._decide(event)

    async def _command(self, event: Event) -> Receipt:
        update = workflow.current_update_info()
        assert update is not None
        return await self._apply(event, update.id)

    async def _apply(self, event: Event, command_id: str) -> Receipt:
        """Decide on an event and commit the write; decide anew when the row had moved on."""
        async with self._writing:
            # a hand on the database makes a chat invalid, and tells us nothing of it
            if self._in_flight or isinstance(event, InvalidStateReconciled):
                await self._catch_up(event)
            while True:
                before = self._state
                write = self._decide(event)
                receipt = await workflow.execute_local_activity(
                    contract.commit_transition,
                    Commit(chat_id=self._start.chat_id, command_id=command_id, write=write),
                    **policies.ROW_WRITE,
                )
                self._adopt(receipt.state, whatever_version=receipt.verdict is Verdict.STALE)
                if receipt.verdict is not Verdict.STALE:
                    break
                if self._state == before:
                    raise RuntimeError("the row refuses a write that fits its own state")
        if receipt.stops(write):
            for handle in self._in_flight:
                handle.cancel()
        return receipt

    async def _catch_up(self, event: Event) -> None:
        """Before an event is refused on a copy that an activity may have outdated, look at the row."""
        try:
            self._decide(event)
        except ApplicationError:
            self._adopt(
                await workflow.execute_local_activity(
                    contract.read_state, self._start.chat_id, **policies.ROW_WRITE
                )
            )

    def _decide(self, event: Event) -> Write:
        try:
            return decide(self._state, event)
        except IllegalTransition as err:
            raise ApplicationError(str(err), type=_NOT_ALLOWED, non_retryable=True) from err
        except InvalidState as err:
            raise ApplicationError(str(err), type=_INVALID, non_retryable=True) from err

    async def _settle(self, event: Event) -> None:
        """A transition the loop itself asks for; a command that came first may have made it needless."""
        state = self._state
        try:
            await self._apply(event, f"{event.transition}/{state.turn}.{state.step}/{state.snapshot_version}")
        except ApplicationError as err:
            if err.type not in (_NOT_ALLOWED, _INVALID):
                raise

    async def _finish_turn(self) -> None:
        turn = self._state.turn
        await self._settle(TurnEnded())
        self._label(turn)

    def _name_chat(self) -> None:
        """Have a new chat named, beside its first step."""
        state = self._state
        new = (state.status, state.turn, state.step) == (ChatStatus.RUNNING, 1, 0)
        if self._start.titles and new:
            self._beside.name_chat(ChatNaming(chat_id=self._start.chat_id))

    async def _call_model(self) -> None:
        state = self._state
        call = ModelCall(chat_id=self._start.chat_id, turn=state.turn, step=state.step + 1)
        handle = workflow.start_activity(
            contract.call_model,
            call,
            **policies.model_call(f"turn {call.turn}, step {call.step}"),
        )
        self._in_flight = [handle]
        try:
            outcome = await handle
            unforeseen = outcome.end is StepEnd.SUPERSEDED and self._state == state
            self._adopt(outcome.state, whatever_version=unforeseen)
            if outcome.end is StepEnd.COMMITTED:
                self._label(call.turn)
        except ActivityError:
            if self._state == state:  # nobody stopped it: a fault of ours, visible in the Temporal UI
                raise
        finally:
            self._in_flight = []

    async def _compact(self) -> None:
        state = self._state
        manual = state.compaction is CompactionReason.MANUAL
        handle = workflow.start_activity(
            contract.compact,
            Compaction(chat_id=self._start.chat_id, turn=state.turn, step=state.step, manual=manual),
            **policies.compaction(f"turn {state.turn}, compaction after step {state.step}"),
        )
        self._in_flight = [handle]
        try:
            self._adopt(await handle)
            if not manual:
                self._label(state.turn)
        except ActivityError:
            if self._state == state:  # nobody stopped it: a fault of ours, visible in the Temporal UI
                raise
        finally:
            self._in_flight = []

    async def _run_tools(self) -> None:
        state = self._state
        calls = [call for call in state.open_calls if call.runnable]
        ends = await self._run_calls(state, calls)
        if self._state.turn != state.turn or self._state.status is ChatStatus.INTERRUPTING:
            # stopped; an attempt that died without an answer may have left something running
            await self._run_calls(state, [call for call, end in zip(calls, ends, strict=True) if not end])
            return
        if next_action(self._state) is not Action.RUN_TOOLS:
            return
        async with self._writing:
            self._adopt(
                await workflow.execute_local_activity(
                    contract.commit_results,
                    ResultsCommit(chat_id=self._start.chat_id, turn=state.turn, step=state.step),
                    **policies.ROW_WRITE,
                )
            )
        self._label(state.turn)

    def _label(self, turn: int) -> None:
        """Have a turn labelled, if it has just ended by itself and no other follows."""
        ended = (self._state.turn, self._state.status) == (turn, ChatStatus.WAITING)
        if self._start.labels and ended:
            self._beside.label_turn(TurnLabel(chat_id=self._start.chat_id, turn=turn))

    async def _run_calls(self, state: ChatState, calls: list[ToolCallRef]) -> list[ToolEnd | None]:
        """Run calls in parallel; how each ended, None where nobody said."""
        handles = [
            workflow.start_activity(
                contract.run_tool,
                ToolRun(chat_id=self._start.chat_id, turn=state.turn, step=state.step, call=call),
                **policies.tool_run(call),
            )
            for call in calls
        ]
        self._in_flight = [*handles]
        ends = await asyncio.gather(*handles, return_exceptions=True)
        self._in_flight = []
        return [None if isinstance(end, BaseException) else end for end in ends]

    async def _await_action(self) -> None:
        """Wait until somebody outside has acted, or for the deadline. Nothing polls."""
        state = self._state
        deadline = state.action_deadline or workflow.now()
        left = max(deadline - workflow.now(), timedelta())
        try:
            await workflow.wait_condition(
                lambda: self._state != state, timeout=left, timeout_summary="deadline of an action"
            )
        except TimeoutError:
            await self._settle(ActionTimedOut())

    async def _rested(self) -> bool:
        """Wait for work.

        One timer serves many turns: it is not cancelled when work comes, and when it rings too early it
        is wound for the rest. A timer per turn would cost the server more than the turn's other events.

        Returns:
            Whether the idle time passed without any, so that the run can end.
        """
        resting_since = workflow.time()
        idle = self._start.idle_seconds
        while True:
            if self._alarm is None:
                left = resting_since + idle - workflow.time()
                self._alarm = asyncio.create_task(workflow.sleep(max(left, 0.0), summary="idle"))
            await workflow.wait_condition(lambda: self._has_work() or self._alarm_rang())
            if self._alarm_rang():
                self._alarm = None
            if self._has_work():
                return False
            if workflow.time() >= resting_since + idle:
                return workflow.all_handlers_finished() and not self._beside.busy

    def _alarm_rang(self) -> bool:
        return self._alarm is not None and self._alarm.done()

    def _has_work(self) -> bool:
        return next_action(self._state) is not Action.REST

    def _hand_over_when_long(self) -> None:
        """Continue as new between steps, before replay becomes slow. Handlers in flight go first."""
        info = workflow.info()
        long = info.get_current_history_length() > self._start.events_per_run
        free = workflow.all_handlers_finished() and not self._beside.busy
        if free and (long or info.is_continue_as_new_suggested()):
            workflow.continue_as_new(self._start.model_copy(update={"state": self._state, "titles": False}))

    def _adopt(self, state: ChatState, *, whatever_version: bool = False) -> None:
        """Take a newer copy of the row. One that refused us is right even if it is older: a database may
        have been restored."""
        if whatever_version or state.snapshot_version >= self._state.snapshot_version:
            if state.operator_status != self._state.operator_status:
                cast(Any, workflow).upsert_search_attributes([_STATUS.value_set(state.operator_status)])
            self._state = state
            self._show_state()

    def _show_state(self) -> None:
        state = self._state
        workflow.set_current_details(
            f"{state.name}: turn {state.turn}, step {state.step}, {state.queued} queued"
        )
