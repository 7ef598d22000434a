"""A transition bundle: the locked row of one chat, what changes on it, and its counters.

All counter rules of spec state-machine.md section 4 live here: the snapshot version rises once per
bundle, the other counters follow it when their part of the chat changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, RowMapping, Update, and_, bindparam, insert, null, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import func

from models.chat_state import Awaited, ChatState, ChatStatus, ToolCallRef
from models.compaction import CompactionReason
from models.inbox import FALLBACK_LABEL, TURN_FAILED, TURN_FINISHED, inbox_text
from models.parts import CONTENT_VERSION, Part, ToolResultPart, dump_part
from models.spending import Bill
from models.store.reading import reading
from models.store.spending import Entry, pay
from models.store.tables import chats, drafts, inbox_notifications, messages, steps, tool_results
from models.turns import CallsClosedBy

COLUMNS = [
    chats.c.id,
    chats.c.owner_id,
    chats.c.organization_id,
    chats.c.status,
    chats.c.archived,
    chats.c.queued,
    chats.c.steering,
    chats.c.turn,
    chats.c.step,
    chats.c.open_calls,
    chats.c.turn_ended,
    chats.c.compaction_requested_at,
    chats.c.compaction_due,
    chats.c.requires_action_deadline_at,
    chats.c.snapshot_version,
    chats.c.history_version,
    chats.c.generation_attempt,
    chats.c.retry_state,
    chats.c.provider_failures,
    chats.c.failing_since,
    chats.c.reentries,
    chats.c.compacted_step,
    chats.c.last_command_id,
    chats.c.last_model_config_id,
    chats.c.last_reasoning_effort,
    chats.c.title,
    chats.c.parent_chat_id,
    chats.c.root_chat_id,
    chats.c.turn_started_at,
]
"""What a bundle knows of its chat; the execution state is made of it."""

_DRAFT_COLUMNS = [
    drafts.c.state.label("draft_state"),
    drafts.c.answer.label("draft_answer"),
    drafts.c.content.label("draft_content"),
    drafts.c.created_by.label("draft_created_by"),
    drafts.c.model_config_id.label("draft_model_config_id"),
    drafts.c.reasoning_effort.label("draft_reasoning_effort"),
]

# Statements of the hot path are built once: SQLAlchemy then finds them in its cache without looking at them.
_READ = select(*COLUMNS).where(chats.c.id == bindparam("chat"))
_LOCK = _READ.with_for_update()
_LOCK_WITH_DRAFT = (
    _READ.add_columns(*_DRAFT_COLUMNS)
    .where(drafts.c.id == bindparam("draft"), drafts.c.chat_id == chats.c.id)
    .with_for_update()
)

CLOSED_BECAUSE = {
    CallsClosedBy.NEW_MESSAGE: "The user sent a new message before this tool call had a result.",
    CallsClosedBy.INTERRUPT: "The user interrupted this tool call before it had a result.",
    CallsClosedBy.PROMOTION: "A queued message took over before this tool call had a result.",
    CallsClosedBy.CONTEXT_CHANGE: "The conversation was closed before this tool call had a result.",
    CallsClosedBy.TIMEOUT: "The client gave no result for this tool call in time.",
    CallsClosedBy.EDIT: "The user edited the conversation before this tool call had a result.",
    CallsClosedBy.INVALID_STATE: "The chat was in an invalid state, so this tool call never had a result.",
}
"""What the model is told of a call that will never have a result of its own."""


_NOT_APPROVED = "Nobody approved this tool call in time. It counts as denied and was not run."


class ChatNotFoundError(LookupError):
    """No such chat."""


class DraftLostError(LookupError):
    """No such draft. It was stored without waiting for the disk, so nobody was told that it was accepted."""


@dataclass(slots=True)
class NewMessage:
    """A row about to enter history. `parts` are in stored form."""

    role: str
    parts: list[dict[str, Any]]
    visibility: str = "both"
    created_by: UUID | None = None
    model_config_id: UUID | None = None
    reasoning_effort: str | None = None
    created_at: Any = None
    usage: dict[str, int] | None = None
    cost_micros: int | None = None
    runtime_ms: int | None = None
    provider_response_id: str | None = None
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What a user says, in stored form, and the model and effort that are to answer it."""

    parts: list[dict[str, Any]]
    created_by: UUID
    model_config_id: UUID
    reasoning_effort: str | None = None

    def row(self) -> NewMessage:
        return NewMessage(
            "user",
            self.parts,
            created_by=self.created_by,
            model_config_id=self.model_config_id,
            reasoning_effort=self.reasoning_effort,
        )


def state_of(row: Mapping[Any, Any]) -> ChatState:
    """The execution state in a row of `chats`."""
    return ChatState(
        status=ChatStatus(row["status"]),
        archived=row["archived"],
        queued=row["queued"],
        steering=row["steering"],
        turn=row["turn"],
        step=row["step"],
        open_calls=tuple(ToolCallRef(**call) for call in row["open_calls"]),
        turn_ended=row["turn_ended"],
        compaction=_compaction_of(row),
        action_deadline=row["requires_action_deadline_at"],
        snapshot_version=row["snapshot_version"],
        owner_id=row["owner_id"],
    )


def _compaction_of(row: Mapping[Any, Any]) -> CompactionReason | None:
    if row["compaction_requested_at"] is not None:
        return CompactionReason.MANUAL
    due = row["compaction_due"]
    return None if due is None else CompactionReason(due)


async def read_state(engine: AsyncEngine, chat_id: UUID) -> ChatState:
    """The chat's execution state as committed last.

    Raises:
        ChatNotFoundError: there is no such chat.
    """
    async with reading(engine) as conn:
        result = await conn.execute(_READ, {"chat": chat_id})
        row = result.mappings().one_or_none()
    if row is None:
        raise ChatNotFoundError(chat_id)
    return state_of(row)


@dataclass(slots=True)
class Bundle:
    """Changes to one chat that commit together. Made by `open`, ended by `close`.

    New history rows, the claimed step and the chat's own row are written by `close` in one statement: a
    round trip to the database costs more than anything else here.

    Attributes:
        row: the chat as it was locked, with the columns of a draft (`draft_*`) where one was asked for.
        message_ids: once closed, the new rows that clients may see, in order.
    """

    conn: AsyncConnection
    row: RowMapping
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    message_ids: tuple[int, ...] = ()
    _messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _step: dict[str, Any] | None = None
    _notice: dict[str, Any] | None = None
    _bill: Bill | None = None

    @classmethod
    async def open(cls, conn: AsyncConnection, chat_id: UUID, draft_id: UUID | None = None) -> "Bundle":
        """Lock the chat's row, and the row of a draft against the door that may be withdrawing it.

        Raises:
            DraftLostError: there is no such draft of it: the database forgot it in a crash.
            ChatNotFoundError: there is no such chat.
        """
        query = _LOCK if draft_id is None else _LOCK_WITH_DRAFT
        result = await conn.execute(query, {"chat": chat_id, "draft": draft_id})
        row = result.mappings().one_or_none()
        if row is None and draft_id is not None:
            await cls.open(conn, chat_id)
            raise DraftLostError(draft_id)
        if row is None:
            raise ChatNotFoundError(chat_id)
        return cls(conn, row)

    @property
    def chat_id(self) -> UUID:
        return self.row["id"]

    @property
    def version(self) -> int:
        """The snapshot version this bundle commits as."""
        return self.row["snapshot_version"] + 1

    def state(self) -> ChatState:
        """The state as it will be once the bundle is closed; as it is while nothing changed."""
        if not self.changes:
            return state_of(self.row)
        merged = {**self.row, "snapshot_version": self.version, **self.changes}
        return state_of(merged)

    @property
    def queued(self) -> int:
        return self.changes.get("queued", self.row["queued"])

    def set(self, **columns: Any) -> None:
        self.changes.update(columns)

    def start_turn(self, turn: int) -> None:
        """A user message enters history: the counting of steps begins anew."""
        self.set(turn=turn, step=0, open_calls=[], turn_ended=False, provider_failures=0, failing_since=None)
        self.set(turn_started_at=func.now(), reentries=0, compacted_step=None, last_turn_summary=None)
        self.forget_compaction()

    def forget_compaction(self) -> None:
        """No compaction is due any more."""
        self.set(compaction_requested_at=None, compaction_due=None)

    def add_messages(self, new: Sequence[NewMessage], *, turn: int, step: int) -> None:
        """Append rows to history."""
        if not new:
            return
        self._messages += [
            {
                "chat_id": self.chat_id,
                "role": message.role,
                "content": message.parts,
                "content_version": CONTENT_VERSION,
                "visibility": message.visibility,
                "revision": self.version,
                "turn": turn,
                "step": step,
                "created_by": message.created_by,
                "model_config_id": message.model_config_id,
                "reasoning_effort": message.reasoning_effort,
                "usage": message.usage,
                "cost_micros": message.cost_micros,
                "runtime_ms": message.runtime_ms,
                "provider_response_id": message.provider_response_id,
                "compressed": message.compressed,
                "created_at": message.created_at or func.now(),
            }
            for message in new
        ]
        self.set(history_version=self.version, generation_attempt=0)

    async def close_open_calls(self, reason: CallsClosedBy) -> None:
        """Answer every outstanding call: with its result where the tool had finished, else with an error
        that says why there is none (spec state-machine.md 5.1, 5.5). Of an invalid state, and when nobody
        has answered in time, only those are closed that wait for somebody outside."""
        open_calls = self.state().open_calls
        keeps = reason in (CallsClosedBy.INVALID_STATE, CallsClosedBy.TIMEOUT)
        calls = [call for call in open_calls if not (keeps and call.runnable)]
        if not calls:
            return
        results = await results_for(self, calls, lambda call: _closing_text(call, reason))
        self.add_messages(results, turn=self.row["turn"], step=self.row["step"])
        self.set(open_calls=[call.stored() for call in open_calls if keeps and call.runnable])

    def enter_user_message(self, message: "UserMessage", *, turn: int) -> None:
        """Put a user message into history and start the turn that answers it."""
        self.add_messages([message.row()], turn=turn, step=0)
        self.start_turn(turn)
        self.answer_with(message)

    def answer_with(self, message: "UserMessage") -> None:
        """The next model calls are made as this message asks for."""
        self.set(last_model_config_id=message.model_config_id, last_reasoning_effort=message.reasoning_effort)

    def record_step(self, turn: int, step: int, end: str) -> None:
        """Claim the key of a committed step. Callers look first, under the lock, whether it is free."""
        self._step = {"chat_id": self.chat_id, "turn": turn, "step": step, "end": end}

    def charge(self, bill: Bill | None) -> None:
        """Enter into the books what a call has cost."""
        self._bill = bill

    def notify_finished(self) -> None:
        """The turn has ended by itself: its owner finds that in the inbox."""
        self._notify(TURN_FINISHED, FALLBACK_LABEL)

    def notify_failed(self, why: str) -> None:
        """The turn has ended in an error."""
        self._notify(TURN_FAILED, why)

    def _notify(self, template_id: UUID, content: str) -> None:
        if self.row["parent_chat_id"] is not None:
            return  # a child's turn is its parent's business
        self._notice = {
            "id": uuid4(),
            "user_id": self.row["owner_id"],
            "chat_id": self.chat_id,
            "turn": self.row["turn"],
            "template_id": template_id,
            "title": self.row["title"],
            "content": inbox_text(content),
        }

    def _drop_label(self) -> None:
        """A turn that fails or is interrupted has no label (spec agents-and-extras.md 4). The one before a
        compaction that a person asked for has ended by itself, and keeps it whatever becomes of that."""
        before, after = self.row["status"], self.changes.get("status", self.row["status"])
        interrupted = before == ChatStatus.INTERRUPTING and after != before and not self.row["turn_ended"]
        failed = after == ChatStatus.ERROR and after != before
        if interrupted or (failed and self.row["compaction_requested_at"] is None):
            self.changes["last_turn_summary"] = None

    async def close(self) -> ChatState:
        """Write everything.

        Returns:
            The state after the bundle.

        Raises:
            sqlalchemy.exc.IntegrityError: the step was committed before.
        """
        self._drop_label()
        stopped = self.changes.get("status", ChatStatus.RUNNING) != ChatStatus.RUNNING
        if stopped or "generation_attempt" in self.changes:
            self.changes.setdefault("retry_state", None)
        if self.changes.get("retry_state", self.row["retry_state"]) != self.row["retry_state"]:
            self.changes["retry_state_version"] = self.version
        state = self.state()
        statement = (
            update(chats)
            .where(chats.c.id == self.chat_id)
            .values(**self.changes, snapshot_version=self.version, updated_at=func.now())
        )
        if self._step is not None:
            statement = statement.add_cte(insert(steps).values(self._step).cte("step"))
        if self._notice is not None:
            notice = upsert(inbox_notifications).values(self._notice).on_conflict_do_nothing()
            statement = statement.add_cte(notice.cte("notice"))
        await self._write(statement)
        return state.model_copy(update={"snapshot_version": self.version})

    async def _write(self, statement: Update) -> None:
        """Carry out the statement on the chat's row, with the new rows of history and of the books."""
        visible: ColumnElement[Any] = null()
        entry = None
        if self._messages:
            # a single dict keeps the statement in SQLAlchemy's cache; a list of them would not
            rows = self._messages[0] if len(self._messages) == 1 else self._messages
            new = insert(messages).values(rows).returning(messages.c.id, messages.c.visibility).cte("new")
            visible = select(func.array_agg(new.c.id)).where(new.c.visibility != "model").scalar_subquery()
        if self._bill is not None and self._bill.held:
            await pay(self.conn, self._bill)
        elif self._bill is not None:
            entry = Entry.of(self._bill)
            statement = statement.add_cte(entry.cte)
        columns = entry.columns if entry else ()
        written = (await self.conn.execute(statement.returning(visible.label("visible"), *columns))).one()
        # identity values ascend in the order of the VALUES list
        self.message_ids = tuple(sorted(written.visible or ()))
        if entry is not None:
            await entry.count(self.conn, written.booked_at, written.booked_on_budget)


async def results_for(
    bundle: Bundle, calls: Sequence[ToolCallRef], otherwise: Callable[[ToolCallRef], str]
) -> list[NewMessage]:
    """One tool message per call, in call order: its ledger entry, or an error with the text `otherwise`.
    Files that the tools have attached join the answer that called them."""
    found = await bundle.conn.execute(
        select(
            tool_results.c.tool_call_id,
            tool_results.c.part,
            tool_results.c.files,
            tool_results.c.finished_at,
        ).where(
            tool_results.c.chat_id == bundle.chat_id,
            tool_results.c.turn == bundle.row["turn"],
            tool_results.c.step == bundle.row["step"],
            tool_results.c.part.is_not(None),
        )
    )
    ledger = {row.tool_call_id: row for row in found}
    entries = [ledger[call.id] for call in calls if call.id in ledger]
    await _attach(bundle, [part for entry in entries for part in entry.files or ()])
    new: list[NewMessage] = []
    for call in calls:
        entry = ledger.get(call.id)
        if entry is not None:
            new.append(NewMessage("tool", [entry.part], created_at=entry.finished_at))
        else:
            new.append(NewMessage("tool", [dump_part(synthetic_result(call, otherwise(call)))]))
    return new


async def _attach(bundle: Bundle, files: Sequence[dict[str, Any]]) -> None:
    """Put files behind what the model said in this step. Its row has changed then: readers get it anew."""
    if not files:
        return
    answer = and_(
        messages.c.chat_id == bundle.chat_id,
        messages.c.turn == bundle.row["turn"],
        messages.c.step == bundle.row["step"],
        messages.c.role == "assistant",
        messages.c.compressed.is_(False),
        messages.c.deleted.is_(False),
    )
    content = await bundle.conn.scalar(select(messages.c.content).where(answer))
    await bundle.conn.execute(
        update(messages).where(answer).values(content=[*(content or ()), *files], revision=bundle.version)
    )


def _closing_text(call: ToolCallRef, reason: CallsClosedBy) -> str:
    unapproved = reason is CallsClosedBy.TIMEOUT and call.awaits is Awaited.APPROVAL
    return _NOT_APPROVED if unapproved else CLOSED_BECAUSE[reason]


def synthetic_result(call: ToolCallRef, reason: str) -> Part:
    """The result, as of now, of a call that will never have one of its own."""
    return ToolResultPart(
        tool_call_id=call.id,
        tool_name=call.name,
        result=reason,
        is_error=True,
        created_at=datetime.now(UTC),
    )
