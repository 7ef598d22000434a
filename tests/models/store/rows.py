"""A chat put straight into any state, on real rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import StateName, ToolCallRef
from models.providers import Preset
from models.store.bundle import read_state
from models.store.configuration import read_default_model
from models.store.presets import OfferedModel, ensure_models
from models.store.queueing import QUEUE_ORDER
from models.store.tables import (
    chats,
    drafts,
    files,
    memberships,
    messages,
    organizations,
    queued_messages,
    users,
)
from models.store.transitions import commit_transition
from models.turns import Commit, Receipt
from workflows.chat.events import Event
from workflows.chat.machine import decide

ROWS = {
    StateName.W: ("waiting", 0, False),
    StateName.E0: ("error", 0, False),
    StateName.E1: ("error", 2, False),
    StateName.R0: ("running", 0, False),
    StateName.R1: ("running", 2, False),
    StateName.I0: ("interrupting", 0, False),
    StateName.I1: ("interrupting", 2, False),
    StateName.A0: ("requires_action", 0, False),
    StateName.A1: ("requires_action", 2, False),
    StateName.XW: ("waiting", 0, True),
    StateName.XE0: ("error", 0, True),
    StateName.XE1: ("error", 2, True),
}


OURS = ToolCallRef(id="call_1", name="current_time")
THEIRS = ToolCallRef(id="call_1", name="their_tool", client=True)


async def new_chat(engine: AsyncEngine, *, context_limit: int = 1000) -> "ChatRows":
    """A chat of its own owner and organization, not written yet."""
    organization, owner = uuid4(), uuid4()
    async with engine.begin() as conn:
        await conn.execute(insert(organizations).values(id=organization, name=str(organization)))
        await conn.execute(insert(users).values(id=owner, username=str(owner)))
        await conn.execute(
            insert(memberships).values(user_id=owner, organization_id=organization, role="member")
        )
    await ensure_models(engine, organization, [OfferedModel(Preset.DEMO, "perdure-demo", "d", context_limit)])
    model = await read_default_model(engine, organization)
    assert model is not None
    return ChatRows(engine, organization, owner, model.id)


@dataclass
class ChatRows:
    """A chat put straight into a state, with one open tool call, as a crash might leave it."""

    engine: AsyncEngine
    organization: UUID
    owner: UUID
    model: UUID
    chat: UUID = field(default_factory=uuid4)

    async def add_file(self, *, linked: bool = False) -> UUID:
        """A file of the owner's; `linked`: the chat's own."""
        file = uuid4()
        async with self.engine.begin() as conn:
            await conn.execute(
                insert(files).values(
                    id=file,
                    organization_id=self.organization,
                    owner_id=self.owner,
                    chat_id=self.chat if linked else None,
                    name="cat.png",
                    mime_type="image/png",
                    size_bytes=1,
                    sha256=b"",
                    state="ready",
                )
            )
        return file

    async def write(
        self,
        name: StateName,
        *,
        queued: int | None = None,
        open_calls: bool = True,
        calls: Sequence[ToolCallRef] | None = None,
        steering: bool = False,
    ) -> None:
        status, backlog, archived = ROWS[name]
        if calls is None:
            calls = [THEIRS if status == "requires_action" else OURS] if open_calls else []
        backlog = backlog if queued is None else queued
        async with self.engine.begin() as conn:
            organization = (
                await conn.execute(
                    select(memberships.c.organization_id).where(memberships.c.user_id == self.owner)
                )
            ).scalar_one()
            await conn.execute(
                insert(chats).values(
                    id=self.chat,
                    organization_id=organization,
                    owner_id=self.owner,
                    status=status,
                    archived=archived,
                    queued=backlog,
                    turn=3,
                    step=1,
                    title="t",
                    open_calls=[call.stored() for call in calls],
                    steering=backlog if steering else 0,
                    snapshot_version=10,
                    history_version=9,
                    queue_version=8,
                    generation_attempt=2,
                    requires_action_deadline_at=func.now() if status == "requires_action" else None,
                    last_error={"message": "earlier", "retryable": False} if "error" in status else None,
                    last_model_config_id=self.model,
                )
            )
            for number in range(backlog):
                await conn.execute(
                    insert(queued_messages).values(
                        chat_id=self.chat,
                        content=[{"type": "text", "text": f"queued {number}"}],
                        content_version=1,
                        created_by=self.owner,
                        model_config_id=self.model,
                        steers=steering,
                    )
                )

    async def say(self, text: str, *, role: str = "user", visibility: str = "both", **columns: Any) -> int:
        """Put a message straight into history."""
        async with self.engine.begin() as conn:
            inserted = await conn.execute(
                insert(messages)
                .values(
                    chat_id=self.chat,
                    role=role,
                    visibility=visibility,
                    created_by=self.owner if role == "user" else None,
                    content_version=1,
                    **{
                        "model_config_id": self.model if role == "user" else None,
                        "content": [{"type": "text", "text": text}],
                        "turn": 3,
                        "step": 0,
                        **columns,
                    },
                )
                .returning(messages.c.id)
            )
            return inserted.scalar_one()

    async def history(self) -> list[Any]:
        """All rows of history, oldest first."""
        async with self.engine.connect() as conn:
            found = await conn.execute(
                select(messages).where(messages.c.chat_id == self.chat).order_by(messages.c.id)
            )
            return list(found.mappings())

    async def draft(self, text: str = "hello") -> UUID:
        return await self.draft_of([{"type": "text", "text": text}])

    async def draft_of(self, content: list[dict[str, Any]]) -> UUID:
        draft = uuid4()
        async with self.engine.begin() as conn:
            await conn.execute(
                insert(drafts).values(
                    id=draft,
                    chat_id=self.chat,
                    created_by=self.owner,
                    request_hash="h",
                    content=content,
                )
            )
        return draft

    async def commit(self, event: Event, command_id: str = "command") -> Receipt:
        write = decide(await read_state(self.engine, self.chat), event)
        return await commit_transition(
            self.engine, Commit(chat_id=self.chat, command_id=command_id, write=write)
        )

    async def row(self) -> Any:
        async with self.engine.connect() as conn:
            return (await conn.execute(select(chats).where(chats.c.id == self.chat))).mappings().one()

    async def texts(self) -> list[str]:
        """What history holds and no edit has deleted, oldest first."""
        async with self.engine.connect() as conn:
            found = await conn.execute(
                select(messages.c.role, messages.c.content)
                .where(messages.c.chat_id == self.chat, messages.c.deleted.is_(False))
                .order_by(messages.c.id)
            )
            return [
                row.content[0].get("text") or f"{row.role} {row.content[0]['tool_call_id']}" for row in found
            ]

    async def waiting(self) -> list[str]:
        async with self.engine.connect() as conn:
            found = await conn.execute(
                select(queued_messages.c.content)
                .where(queued_messages.c.chat_id == self.chat)
                .order_by(*QUEUE_ORDER)
            )
            return [row.content[0]["text"] for row in found]

    async def last_queued(self) -> int:
        """The id of the last message of the queue; one that does not exist where it is empty."""
        async with self.engine.connect() as conn:
            newest = select(func.max(queued_messages.c.id)).where(queued_messages.c.chat_id == self.chat)
            return await conn.scalar(newest) or 1
