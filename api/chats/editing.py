"""Changing a chat: `PATCH /chats/{chat}` (spec api.md 4.4)."""

from uuid import uuid4

from api.audit.trail import Trail
from api.chats.labels import checked_labels
from api.chats.schemas import EditChat
from api.commands import run_command
from api.errors import invalid
from api.features import refuse_unavailable
from api.requests import without_nul
from api.services import Services
from models.hints import Hint, HintKind
from models.store.accounts import Caller
from models.store.audit import Change
from models.store.chats import ChatRecord
from models.store.edits import Edit, edit_chat, stage_edit
from models.store.pins import close_gaps
from models.turns import SetArchived

_MAX_TITLE = 200


async def apply_edit(
    services: Services, caller: Caller, chat: ChatRecord, body: EditChat, trail: Trail
) -> None:
    """Make all changes of a request, or none: every field is checked before the first is written.

    Raises:
        ApiError: 400, a field breaks a rule; 409 and 503, the chat cannot be archived or unarchived now.
    """
    refuse_unavailable(body, ("workspace_id", "plan_mode"))
    edit = _checked(chat, body)
    _check_archived(chat, body)
    _check_pin(chat, body)
    change = trail.change(body.model_dump(mode="json", exclude_none=True))
    if body.archived is None:
        await edit_chat(services.engine, caller, chat, edit, body.pin_order, change)
    else:
        await _edit_and_archive(services, chat, edit, change, archived=body.archived)
    if edit.title is not None:
        services.hints.send(Hint(chat.owner_id, chat.id, HintKind.TITLE_CHANGE))


async def _edit_and_archive(
    services: Services, chat: ChatRecord, edit: Edit, change: Change, *, archived: bool
) -> None:
    command_id = f"set-archived:{uuid4()}"
    await stage_edit(services.engine, chat.id, edit, change, command_id=command_id)
    await run_command(
        services.gateway, chat, "set_archived", SetArchived(archived=archived), update_id=command_id
    )
    if chat.pin_order:
        # archiving has unpinned it; should we die before this, the owner's next pin closes the gap
        await close_gaps(services.engine, chat.owner_id)


def _checked(chat: ChatRecord, body: EditChat) -> Edit:
    title = None if body.title is None else _checked_title(body.title)
    labels = None if body.labels is None else checked_labels(body.labels)
    if body.active_tools is not None and body.archived is not None:
        raise invalid(("active_tools", "Cannot be changed together with archived."))
    return Edit(None if title == chat.title else title, labels, body.active_tools)


def _checked_title(title: str) -> str:
    trimmed = without_nul("title", title).strip()
    if not 0 < len(trimmed) <= _MAX_TITLE:
        raise invalid(("title", f"Must have 1 to {_MAX_TITLE} characters."))
    return trimmed


def _check_archived(chat: ChatRecord, body: EditChat) -> None:
    if body.archived is None:
        return
    if chat.parent_chat_id is not None:
        raise invalid(("archived", "A chat of a subagent is archived along with its root."))
    if body.archived == chat.state.archived:
        raise invalid(("archived", f"The chat is {'' if body.archived else 'not '}archived already."))


def _check_pin(chat: ChatRecord, body: EditChat) -> None:
    if not body.pin_order:
        return
    if chat.parent_chat_id is not None:
        raise invalid(("pin_order", "A chat of a subagent cannot be pinned."))
    if chat.state.archived or body.archived:
        raise invalid(("pin_order", "An archived chat cannot be pinned."))
