"""A chat at rest: its state, its history, its queue, and what makes each effect happen once."""

# SQLModel declares `__tablename__` as a descriptor; a plain name is what its documentation asks for.
# pyright: reportAssignmentType=false

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from models.tables.columns import indexed_json, moment, serial_key, uuid_key, verbatim_json
from models.tables.searching import SEARCHED, WORDS, index_words_of


def _counter(start: int = 0) -> Column[int]:
    return Column(BigInteger, nullable=False, server_default=str(start))


def _chat_key() -> Column[Any]:
    return Column(Uuid, ForeignKey("chats.id", ondelete="CASCADE"), nullable=False)


def _ancestor_key() -> Column[Any]:
    return Column(Uuid, ForeignKey("chats.id", ondelete="CASCADE"), nullable=True)


def _effort() -> Column[str]:
    return Column(Text, nullable=True)


class Chat(SQLModel, table=True):
    """Execution state, written by transitions only, and metadata beside it.

    Counters and their rules: spec state-machine.md section 4. `turn`, `step`, `open_calls` and
    `turn_ended` say where a running turn stands, so that it can go on from its row alone. `steering`
    counts the queued messages that are to join the running turn; `tools` is a `models.chat_tools.ChatTools`.

    Compaction: `compaction_requested_at` is a person's wish, `compaction_due` what made one necessary;
    both are gone once it was done or tried. `reentries` counts how often the turn went on after one that
    came with its last step, `compacted_step` is the step behind which the last one of the turn stands.

    A family is a root and all chats below it, which name it in `root_chat_id`. `pin_order` counts the
    owner's pinned chats from 1, 0 is not pinned; `last_read_message_id` is how far the owner has read.
    """

    __tablename__ = "chats"
    __table_args__ = (
        CheckConstraint(
            "status IN ('waiting', 'running', 'error', 'interrupting', 'requires_action')",
            name="chats_status",
        ),
        Index(
            "chats_listed",
            "owner_id",
            "archived",
            text("NULLIF(pin_order, 0)"),
            text("updated_at DESC"),
            text("id DESC"),
            postgresql_where=text("parent_chat_id IS NULL"),
        ),
        Index("chats_by_parent", "parent_chat_id", postgresql_where=text("parent_chat_id IS NOT NULL")),
        Index("chats_by_root", "root_chat_id", postgresql_where=text("root_chat_id IS NOT NULL")),
        Index(
            "chats_in_motion",
            "updated_at",
            postgresql_where=text("status IN ('running', 'interrupting', 'requires_action')"),
        ),
        Index("chats_archived", "updated_at", postgresql_where=text("archived")),
        UniqueConstraint("owner_id", "idempotency_key", name="chats_idempotency_key"),
    )

    id: UUID = Field(sa_column=uuid_key())
    organization_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("organizations.id"), nullable=False))
    owner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("users.id"), nullable=False))
    created_at: datetime = Field(sa_column=moment())
    updated_at: datetime = Field(sa_column=moment())
    parent_chat_id: UUID | None = Field(default=None, sa_column=_ancestor_key())
    root_chat_id: UUID | None = Field(default=None, sa_column=_ancestor_key())
    mode: str | None = Field(default=None, sa_column=Column(Text, nullable=True))

    status: str = Field(sa_column=Column(Text, nullable=False))
    archived: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    queued: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    turn: int = Field(sa_column=_counter(1))
    step: int = Field(sa_column=_counter())
    steering: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    open_calls: list[dict[str, Any]] = Field(sa_column=indexed_json(default="[]"))
    turn_ended: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    requires_action_deadline_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    last_error: dict[str, Any] | None = Field(default=None, sa_column=verbatim_json(nullable=True))
    retry_state: dict[str, Any] | None = Field(default=None, sa_column=verbatim_json(nullable=True))
    provider_failures: int = Field(sa_column=_counter())
    failing_since: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    turn_started_at: datetime = Field(sa_column=moment())
    compaction_requested_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    compaction_due: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    reentries: int = Field(sa_column=_counter())
    compacted_step: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    last_command_id: str | None = Field(default=None, sa_column=Column(Text, nullable=True))

    snapshot_version: int = Field(sa_column=_counter(1))
    history_version: int = Field(sa_column=_counter())
    queue_version: int = Field(sa_column=_counter())
    retry_state_version: int = Field(sa_column=_counter())
    generation_attempt: int = Field(sa_column=_counter())

    title: str = Field(sa_column=Column(Text, nullable=False))
    client_type: str = Field(sa_column=Column(Text, nullable=False, server_default="api"))
    labels: dict[str, str] = Field(sa_column=indexed_json(default="{}"))
    pin_order: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    last_read_message_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    last_turn_summary: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    summary: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    last_model_config_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("model_configs.id"), nullable=False))
    last_reasoning_effort: str | None = Field(default=None, sa_column=_effort())
    idempotency_key: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    request_hash: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    tools: dict[str, Any] | None = Field(default=None, sa_column=verbatim_json(nullable=True))


class StagedEdit(SQLModel, table=True):
    """A change of a chat's title or labels that the command of this id is to make, along with its own, and
    what the audit log is to tell of both."""

    __tablename__ = "staged_edits"
    __table_args__ = (Index("staged_edits_by_chat", "chat_id"),)

    command_id: str = Field(sa_column=Column(Text, primary_key=True))
    chat_id: UUID = Field(sa_column=_chat_key())
    title: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    labels: dict[str, str] | None = Field(default=None, sa_column=indexed_json(nullable=True))
    audit_line: dict[str, Any] | None = Field(default=None, sa_column=indexed_json(nullable=True))
    created_at: datetime = Field(sa_column=moment())


class Message(SQLModel, table=True):
    """History. `content` is a list of parts (`models.parts`); usage is on assistant rows only.
    `cost_micros` is what the request cost, in millionths of a dollar; NULL where no price is known.

    `compressed` rows are boundaries: the newest one that the model sees stands for all before it. Calls
    beside the conversation (titles, labels) leave what they have used in a deleted row of step 0.
    """

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("role IN ('system', 'user', 'assistant', 'tool')", name="messages_role"),
        CheckConstraint("visibility IN ('user', 'model', 'both')", name="messages_visibility"),
        Index("messages_by_chat", "chat_id", "id"),
        Index("messages_by_revision", "chat_id", "revision"),
        Index(
            "messages_one_answer_per_step",
            "chat_id",
            "turn",
            "step",
            unique=True,
            postgresql_where=text("role = 'assistant' AND NOT compressed AND NOT deleted"),
        ),
        Index(
            "messages_boundaries",
            "chat_id",
            "id",
            postgresql_where=text("compressed AND visibility = 'model'"),
        ),
        # a short pending list, so that no commit has to file away a long one
        Index(
            "messages_by_words",
            text(WORDS),
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 512},
            postgresql_where=text(SEARCHED),
        ),
    )

    id: int = Field(sa_column=serial_key())
    chat_id: UUID = Field(sa_column=_chat_key())
    role: str = Field(sa_column=Column(Text, nullable=False))
    content: list[dict[str, Any]] = Field(sa_column=verbatim_json())
    content_version: int = Field(sa_column=Column(Integer, nullable=False))
    visibility: str = Field(sa_column=Column(Text, nullable=False, server_default="both"))
    revision: int = Field(sa_column=_counter())
    deleted: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    compressed: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    turn: int = Field(sa_column=_counter())
    step: int = Field(sa_column=_counter())
    created_by: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    model_config_id: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    reasoning_effort: str | None = Field(default=None, sa_column=_effort())
    usage: dict[str, int] | None = Field(default=None, sa_column=indexed_json(nullable=True))
    cost_micros: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    runtime_ms: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    provider_response_id: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    created_at: datetime = Field(sa_column=moment())


index_words_of(cast(Any, Message).__table__)


class QueuedMessage(SQLModel, table=True):
    """A message that waits for the running turn to end, or for its next step if it is to steer it. The
    order is `position`, which only a promotion changes, then the id."""

    __tablename__ = "queued_messages"
    __table_args__ = (Index("queued_messages_by_chat", "chat_id", "id"),)

    id: int = Field(sa_column=serial_key())
    chat_id: UUID = Field(sa_column=_chat_key())
    content: list[dict[str, Any]] = Field(sa_column=verbatim_json())
    content_version: int = Field(sa_column=Column(Integer, nullable=False))
    created_by: UUID = Field(sa_column=Column(Uuid, nullable=False))
    model_config_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    reasoning_effort: str | None = Field(default=None, sa_column=_effort())
    position: int = Field(sa_column=_counter())
    steers: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    created_at: datetime = Field(sa_column=moment())


class Draft(SQLModel, table=True):
    """Content on its way into a chat (a message, results of client tools, approvals): stored first, then
    named by id in the command. Without content it stands for a command that came with a key.

    `pending` until the workflow places it (`delivered`, with the receipt as `answer`) or the door gives
    up (`withdrawn`). Both moves are made on the row, so exactly one of them wins. A repeat of the same
    request revives a withdrawn draft and delivers it anew; `delivery` counts those.
    """

    __tablename__ = "drafts"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'withdrawn')", name="drafts_state"),
        UniqueConstraint("chat_id", "created_by", "idempotency_key", name="drafts_idempotency_key"),
        Index("drafts_pending", "created_at", postgresql_where=text("state = 'pending'")),
        Index("drafts_by_age", "created_at", postgresql_using="brin"),
    )

    id: UUID = Field(sa_column=uuid_key())
    chat_id: UUID = Field(sa_column=_chat_key())
    created_by: UUID = Field(sa_column=Column(Uuid, nullable=False))
    idempotency_key: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    request_hash: str = Field(sa_column=Column(Text, nullable=False))
    content: list[dict[str, Any]] = Field(sa_column=verbatim_json())
    model_config_id: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    reasoning_effort: str | None = Field(default=None, sa_column=_effort())
    state: str = Field(sa_column=Column(Text, nullable=False, server_default="pending"))
    delivery: int = Field(sa_column=Column(Integer, nullable=False, server_default="1"))
    answer: dict[str, Any] | None = Field(default=None, sa_column=indexed_json(nullable=True))
    created_at: datetime = Field(sa_column=moment())


class Step(SQLModel, table=True):
    """A committed step. The key is what makes a step commit once, however many attempts ran."""

    __tablename__ = "steps"

    chat_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("chats.id", ondelete="CASCADE"), primary_key=True)
    )
    turn: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    step: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    end: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=moment())


class ToolResult(SQLModel, table=True):
    """The ledger of tool calls: what has begun, and what came of it, durable the moment a tool finishes.

    A call that may run only once is `claimed` before it runs; a claim without a result tells the next
    attempt that it must not begin anew. `finished` and `unknown` hold a result and stay as they are.
    Turn and step are part of the key because some providers use the same call ids in every turn.

    Attributes:
        claimed_by: the attempt that may run the call, for operators.
        input_hash: of the arguments; the same call never runs with others.
        part: the result.
        files: parts of the files that the tool has attached, which are the chat's since then.
        place: counts the results of the step in the order in which they came.
    """

    __tablename__ = "tool_results"
    __table_args__ = (
        CheckConstraint("status IN ('claimed', 'finished', 'unknown')", name="tool_results_status"),
        CheckConstraint(
            "(status = 'claimed') = (part IS NULL) AND (part IS NULL) = (place IS NULL)",
            name="tool_results_part",
        ),
    )

    chat_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("chats.id", ondelete="CASCADE"), primary_key=True)
    )
    turn: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    step: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    tool_call_id: str = Field(sa_column=Column(Text, primary_key=True))
    status: str = Field(sa_column=Column(Text, nullable=False))
    claimed_by: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    input_hash: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    part: dict[str, Any] | None = Field(default=None, sa_column=verbatim_json(nullable=True))
    files: list[dict[str, Any]] | None = Field(default=None, sa_column=verbatim_json(nullable=True))
    place: int | None = Field(default=None, sa_column=Column(Integer, nullable=True))
    claimed_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    finished_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
