"""Names by which the parts of the system find each other."""

from uuid import UUID

_KEYED = "keyed:"


def chat_workflow_id(chat_id: UUID) -> str:
    """The Temporal workflow that moves a chat."""
    return f"chat-{chat_id}"


def keyed_command_id(request_id: UUID, delivery: int) -> str:
    """The id of a command that came with an idempotency key: that of the row which keeps its receipt, and how
    often it was sent on its way."""
    return f"{_KEYED}{request_id}:{delivery}"


def keyed_request_id(command_id: str) -> UUID | None:
    """The row that keeps the receipt of a command; None of one that came without a key."""
    if not command_id.startswith(_KEYED):
        return None
    return UUID(command_id.removeprefix(_KEYED).partition(":")[0])


def title_workflow_id(proposal: UUID) -> str:
    """The Temporal workflow that proposes a title."""
    return f"title-{proposal}"


def check_workflow_id(check: UUID) -> str:
    """The Temporal workflow that checks a provider."""
    return f"check-{check}"
