"""Chats as people see them, and the looking after of those in motion.

Every query for a person takes the caller; what they may see is decided by `models.store.scoping`.
"""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    RowMapping,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.chat_state import ChatState, ChatStatus
from models.chat_tools import ChatTools
from models.parts import CONTENT_VERSION
from models.permissions import Access
from models.store.accounts import Caller
from models.store.bundle import state_of
from models.store.file_links import link_files, named_files
from models.store.model_access import open_to
from models.store.reading import reading, transaction
from models.store.scoping import FAMILY, access_to_chat, is_shared, readable
from models.store.spending import exhausted
from models.store.tables import chats, messages, model_configs, users

_SWEEP_LOCK = 0x50455253


@dataclass(frozen=True, slots=True)
class ChatRecord:
    """A chat with the names of what it refers to.

    Attributes:
        model_enabled: Its last model may still be used.
        shared: Its family is shared with somebody.
        access: What the caller it was read for is to it; None: it was read for nobody.
        exhausted: A budget that it spends from is used up; False where it was read for nobody.
    """

    id: UUID
    organization_id: UUID
    owner_id: UUID
    owner_username: str
    owner_name: str
    parent_chat_id: UUID | None
    root_chat_id: UUID | None
    mode: str | None
    model: str
    model_enabled: bool
    last_model_config_id: UUID
    last_reasoning_effort: str | None
    title: str
    client_type: str
    labels: dict[str, str]
    pin_order: int
    last_turn_summary: str | None
    summary: str | None
    last_error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    request_hash: str | None
    shared: bool
    access: Access | None
    exhausted: bool
    state: ChatState


@dataclass(frozen=True, slots=True)
class NewChat:
    """A chat about to be made. `content` is the first message, in stored form."""

    organization_id: UUID
    content: list[dict[str, Any]]
    model_config_id: UUID
    title: str
    client_type: str
    labels: dict[str, str]
    system_prompts: Sequence[str]
    tools: ChatTools
    idempotency_key: str | None
    request_hash: str
    reasoning_effort: str | None = None


_STATE_COLUMNS = (
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
)


def _select(access: ColumnElement[Any], exhausted: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            chats.c.id,
            chats.c.organization_id,
            chats.c.owner_id,
            users.c.username.label("owner_username"),
            users.c.name.label("owner_name"),
            chats.c.parent_chat_id,
            chats.c.root_chat_id,
            chats.c.mode,
            model_configs.c.model,
            (model_configs.c.enabled & ~model_configs.c.deleted & open_to(chats.c.owner_id)).label(
                "model_enabled"
            ),
            chats.c.last_model_config_id,
            chats.c.last_reasoning_effort,
            chats.c.title,
            chats.c.client_type,
            chats.c.labels,
            chats.c.pin_order,
            chats.c.last_turn_summary,
            chats.c.summary,
            chats.c.last_error,
            chats.c.created_at,
            chats.c.updated_at,
            chats.c.request_hash,
            is_shared().label("shared"),
            access.label("access"),
            exhausted.label("exhausted"),
            *_STATE_COLUMNS,
        )
        .join(users, users.c.id == chats.c.owner_id)
        .join(model_configs, model_configs.c.id == chats.c.last_model_config_id)
    )


# built once: with all that decides on access, that takes longer than to carry them out
CHATS = _select(null(), false())
"""Chats, for `record_of` to make records of the rows. It needs a condition still, and knows no `access`."""

_CALLER: ColumnElement[UUID] = bindparam("caller", type_=Uuid())
_USED_UP = exhausted(chats.c.organization_id, chats.c.owner_id, FAMILY)
_OF_CALLER = _select(access_to_chat(_CALLER), _USED_UP)
_FIND = _OF_CALLER.where(readable(_CALLER), chats.c.id == bindparam("chat"))


def record_of(row: RowMapping) -> ChatRecord:
    """A row of `CHATS`, whatever other columns it has."""
    own = {name: row[name] for name in ChatRecord.__dataclass_fields__ if name not in ("access", "state")}
    access = None if row["access"] is None else Access(row["access"])
    return ChatRecord(**own, access=access, state=state_of(row))


class BudgetExhaustedError(Exception):
    """A budget that the chat would spend from is used up."""


class FilesGoneError(LookupError):
    """A file that the first message names is gone, or another chat has it."""


async def create_chat(engine: AsyncEngine, caller: Caller, new: NewChat) -> ChatRecord:
    """Make a chat that runs its first turn, or find the one made earlier under the caller's same key.

    The caller compares `request_hash` with the one of the chat returned.

    Raises:
        BudgetExhaustedError, FilesGoneError: nothing is made.
    """
    async with transaction(engine) as conn:
        inserted = await conn.execute(
            upsert(chats)
            .values(
                id=uuid4(),
                organization_id=new.organization_id,
                owner_id=caller.user_id,
                status=ChatStatus.RUNNING,
                history_version=1,
                title=new.title,
                client_type=new.client_type,
                labels=new.labels,
                last_model_config_id=new.model_config_id,
                last_reasoning_effort=new.reasoning_effort,
                idempotency_key=new.idempotency_key,
                request_hash=new.request_hash,
                tools=new.tools.stored(),
            )
            .on_conflict_do_nothing(constraint="chats_idempotency_key")
            .returning(chats.c.id)
        )
        chat_id = inserted.scalar_one_or_none()
        if chat_id is not None:
            if not await link_files(conn, chat_id, named_files(new.content)):
                raise FilesGoneError
            await conn.execute(insert(messages).values(_first_messages(chat_id, caller, new)))
            which = chats.c.id == chat_id
        else:
            which = chats.c.idempotency_key == new.idempotency_key
        result = await conn.execute(
            _OF_CALLER.where(chats.c.owner_id == _CALLER, which), {"caller": caller.user_id}
        )
        made = record_of(result.mappings().one())
        if chat_id is not None and made.exhausted:
            raise BudgetExhaustedError
        return made


def _first_messages(chat_id: UUID, caller: Caller, new: NewChat) -> list[dict[str, Any]]:
    shared = {"chat_id": chat_id, "content_version": CONTENT_VERSION, "revision": 1, "turn": 1, "step": 0}
    system = [
        {
            **shared,
            "role": "system",
            "visibility": "model",
            "content": [{"type": "text", "text": prompt}],
            "created_by": None,
            "model_config_id": None,
            "reasoning_effort": None,
        }
        for prompt in new.system_prompts
    ]
    user = {
        **shared,
        "role": "user",
        "visibility": "both",
        "content": new.content,
        "created_by": caller.user_id,
        "model_config_id": new.model_config_id,
        "reasoning_effort": new.reasoning_effort,
    }
    return [*system, user]


async def find_chat(engine: AsyncEngine, caller: Caller, chat_id: UUID) -> ChatRecord | None:
    """One chat; None if the caller may read none with this id."""
    async with reading(engine) as conn:
        result = await conn.execute(_FIND, {"caller": caller.user_id, "chat": chat_id})
        row = result.mappings().one_or_none()
    return None if row is None else record_of(row)


async def read_active_tools(engine: AsyncEngine, chat_id: UUID) -> Sequence[str]:
    """Names of the deployment's tools that a chat may call, which the caller was found to see; none of them:
    all may be called."""
    async with reading(engine) as conn:
        tools = await conn.scalar(select(chats.c.tools).where(chats.c.id == chat_id))
    return ChatTools.model_validate(tools or {}).active or ()


async def read_owned(
    engine: AsyncEngine, owner_id: UUID, chat_ids: Collection[UUID]
) -> dict[UUID, ChatRecord]:
    """Those of these chats that belong to this owner."""
    async with reading(engine) as conn:
        result = await conn.execute(
            CHATS.where(
                chats.c.owner_id == owner_id, chats.c.id == any_(literal(list(chat_ids), ARRAY(Uuid)))
            )
        )
        return {row["id"]: record_of(row) for row in result.mappings()}


async def read_versions(engine: AsyncEngine, chat_ids: Collection[UUID]) -> dict[UUID, int]:
    """Snapshot versions of these chats."""
    async with reading(engine) as conn:
        result = await conn.execute(
            select(chats.c.id, chats.c.snapshot_version).where(
                chats.c.id == any_(literal(list(chat_ids), ARRAY(Uuid)))
            )
        )
        return {row.id: row.snapshot_version for row in result}


@asynccontextmanager
async def sweep_lock(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection | None]:
    """A transaction that only one process has at a time; None where another has it."""
    async with transaction(engine) as conn:
        held = await conn.scalar(select(func.pg_try_advisory_xact_lock(_SWEEP_LOCK)))
        yield conn if held else None


async def read_unmoved(
    conn: AsyncConnection, age_seconds: float, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[ChatRecord]:
    """Chats in motion that nothing has touched for this long, longest first: of every owner, because
    this is for the sweeper and no person. One that waits for somebody outside may, until its deadline."""
    age = func.make_interval(0, 0, 0, 0, 0, 0, age_seconds)
    query = (
        CHATS.where(
            or_(
                chats.c.status.in_([ChatStatus.RUNNING, ChatStatus.INTERRUPTING]),
                and_(
                    chats.c.status == ChatStatus.REQUIRES_ACTION,
                    chats.c.requires_action_deadline_at < func.now() - age,
                ),
            ),
            chats.c.updated_at < func.now() - age,
            chats.c.archived.is_(False),  # else it is in an invalid state, and no workflow would touch it
        )
        .order_by(chats.c.updated_at, chats.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(chats.c.updated_at, chats.c.id) > tuple_(*after))
    result = await conn.execute(query)
    return [record_of(row) for row in result.mappings()]
