"""Changes of a chat's metadata: what never decides a transition (spec api.md 4.4).

Together with archiving, which is a command to the chat's workflow, both have to happen or neither, and a
process may die between any two statements. So such a change, and the line of the audit log that tells of the
whole, are staged under the id of the command before that is sent, and the transaction that carries out the
command makes them. A command that is refused leaves behind what nothing will ever make; later ones clear it
away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.chat_tools import ChatTools
from models.store.accounts import Caller
from models.store.audit import Change, write_change
from models.store.chats import ChatRecord
from models.store.pins import place_pin
from models.store.reading import reading, transaction
from models.store.scoping import updatable
from models.store.tables import chats, staged_edits

_KEPT = timedelta(days=1)
"""Far longer than a command may be under way."""

_CHANGE = TypeAdapter(Change)


@dataclass(frozen=True, slots=True)
class Edit:
    """New values; None leaves the old one. A new title leaves `updated_at` alone, so a renamed chat keeps
    its place in the list; new labels do not.

    `active_tools`: the tools of the deployment that may be called, empty for all of them. Not to be staged.
    """

    title: str | None = None
    labels: dict[str, str] | None = None
    active_tools: Sequence[str] | None = None

    def columns(self) -> dict[str, Any]:
        """What to set besides `updated_at`."""
        changes = {"title": self.title, "labels": self.labels}
        return {name: value for name, value in changes.items() if value is not None}


async def edit_chat(
    engine: AsyncEngine,
    caller: Caller,
    chat: ChatRecord,
    edit: Edit,
    pin_order: int | None = None,
    change: Change | None = None,
) -> None:
    """Make a change, all of it or nothing, and note it in the audit log.

    Args:
        pin_order: See `models.store.pins.place_pin`.
    """
    changes = edit.columns()
    if edit.labels is not None:
        changes["updated_at"] = func.now()
    statement = update(chats).where(updatable(caller.user_id), chats.c.id == chat.id).values(**changes)
    if pin_order is None and not changes and edit.active_tools is None:
        return
    async with transaction(engine) as conn:
        if pin_order is not None:
            await place_pin(conn, chat.owner_id, chat.id, pin_order)
        if edit.active_tools is not None:
            await _activate(conn, caller, chat.id, edit.active_tools)
        if changes:
            await conn.execute(statement)
        await write_change(conn, change, status=204)


async def _activate(conn: AsyncConnection, caller: Caller, chat_id: UUID, names: Sequence[str]) -> None:
    """Say which of the deployment's tools a chat may call."""
    which = (updatable(caller.user_id), chats.c.id == chat_id)
    row = (await conn.execute(select(chats.c.tools).where(*which).with_for_update(of=chats))).one_or_none()
    if row is None:
        return
    tools = ChatTools.model_validate(row.tools or {}).activating(names)
    await conn.execute(update(chats).where(*which).values(tools=tools.stored()))


async def stage_edit(
    engine: AsyncEngine, chat_id: UUID, edit: Edit, change: Change | None = None, *, command_id: str
) -> None:
    """Have a change made, and a line of the audit log written, along with a command that is about to be
    sent."""
    refused = delete(staged_edits).where(
        staged_edits.c.chat_id == chat_id, staged_edits.c.created_at < func.now() - _KEPT
    )
    async with reading(engine) as conn:
        await conn.execute(
            insert(staged_edits)
            .values(
                command_id=command_id,
                chat_id=chat_id,
                title=edit.title,
                labels=edit.labels,
                audit_line=None if change is None else _CHANGE.dump_python(change, mode="json"),
            )
            .add_cte(refused.cte("refused"))
        )


async def take_staged(conn: AsyncConnection, chat_id: UUID, command_id: str) -> dict[str, Any]:
    """Write the line of the audit log that was staged for this command.

    Returns:
        The columns to set along with it. It touches `updated_at` by itself.
    """
    result = await conn.execute(
        delete(staged_edits)
        .where(staged_edits.c.chat_id == chat_id, staged_edits.c.command_id == command_id)
        .returning(staged_edits.c.title, staged_edits.c.labels, staged_edits.c.audit_line)
    )
    staged = result.one_or_none()
    if staged is None:
        return {}
    if staged.audit_line is not None:
        await write_change(conn, _CHANGE.validate_python(staged.audit_line), status=204)
    return Edit(staged.title, staged.labels).columns()
