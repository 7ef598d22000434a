"""Rows as clients see them (spec api.md section 3). Fields that may be absent are left out when empty."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from models.parts import public_parts
from models.store.chats import ChatRecord
from models.store.files import FileRecord
from models.store.listing import ListedChat
from models.store.messages import MessageRecord, QueuedRecord
from models.store.views import PendingCall


def chat_payload(chat: ChatRecord, children: Sequence[ListedChat] = ()) -> dict[str, Any]:
    """A `Chat`."""
    payload: dict[str, Any] = {
        "id": chat.id,
        "organization_id": chat.organization_id,
        "owner_id": chat.owner_id,
        "owner_username": chat.owner_username,
        "root_chat_id": chat.root_chat_id or chat.parent_chat_id or chat.id,
        "last_model_config_id": chat.last_model_config_id,
        "title": chat.title,
        "status": chat.state.status,
        "last_turn_summary": chat.last_turn_summary,
        "summary": chat.summary,
        "created_at": chat.created_at,
        "updated_at": chat.updated_at,
        "archived": chat.state.archived,
        "shared": chat.shared,
        "pin_order": chat.pin_order,
        "mcp_server_ids": [],
        "labels": chat.labels,
        "has_unread": False,
        "client_type": chat.client_type,
        "children": [listed_payload(child) for child in children],
    }
    if chat.owner_name:
        payload["owner_name"] = chat.owner_name
    if chat.parent_chat_id is not None:
        payload["parent_chat_id"] = chat.parent_chat_id
    if chat.last_reasoning_effort is not None:
        payload["last_reasoning_effort"] = chat.last_reasoning_effort
    if chat.mode is not None:
        payload["mode"] = chat.mode
    if chat.last_error is not None:
        payload["last_error"] = chat.last_error
    return payload


def listed_payload(listed: ListedChat) -> dict[str, Any]:
    """A `Chat` in a list: with what is computed for lists only."""
    payload = chat_payload(listed.chat, listed.children)
    payload["has_unread"] = listed.has_unread
    payload["diff_status"] = _no_diff(listed.chat.id)
    return payload


def _no_diff(chat_id: UUID) -> dict[str, Any]:
    """A `ChatDiffStatus` of which nothing is known."""
    return {
        "chat_id": chat_id,
        "pull_request_title": "",
        "pull_request_draft": False,
        "changes_requested": False,
        "additions": 0,
        "deletions": 0,
        "changed_files": 0,
    }


def file_payload(file: FileRecord) -> dict[str, Any]:
    """A `ChatFileMetadata`."""
    return {
        "id": file.id,
        "owner_id": file.owner_id,
        "organization_id": file.organization_id,
        "name": file.name,
        "mime_type": file.mime_type,
        "size_bytes": file.size_bytes,
        "created_at": file.created_at,
    }


def message_payload(message: MessageRecord) -> dict[str, Any]:
    """A `ChatMessage`."""
    payload: dict[str, Any] = {
        "id": message.id,
        "chat_id": message.chat_id,
        "created_at": message.created_at,
        "role": message.role,
    }
    if message.created_by is not None:
        payload["created_by"] = message.created_by
    if message.model_config_id is not None:
        payload["model_config_id"] = message.model_config_id
    if message.content:
        payload["content"] = public_parts(message.content)
    usage = {name: count for name, count in (message.usage or {}).items() if count}
    if usage:
        payload["usage"] = usage
    return payload


def pending_payload(pending: PendingCall) -> dict[str, Any]:
    """A call in an `action_required` event. `action` tells what is awaited: the client's `result`, or an
    `approval`."""
    return {
        "tool_call_id": pending.call.id,
        "tool_name": pending.call.name,
        "args": orjson.dumps(pending.args).decode(),
        "action": pending.awaits,
    }


def queued_payload(message: QueuedRecord) -> dict[str, Any]:
    """A `ChatQueuedMessage`."""
    return {
        "id": message.id,
        "chat_id": message.chat_id,
        "model_config_id": message.model_config_id,
        "content": public_parts(message.content),
        "created_at": message.created_at,
    }
