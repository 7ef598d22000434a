"""Names by which the parts of the system find each other."""

from uuid import UUID


def chat_workflow_id(chat_id: UUID) -> str:
    """The Temporal workflow that moves a chat."""
    return f"chat-{chat_id}"


def title_workflow_id(proposal: UUID) -> str:
    """The Temporal workflow that proposes a title."""
    return f"title-{proposal}"


def check_workflow_id(check: UUID) -> str:
    """The Temporal workflow that checks a provider."""
    return f"check-{check}"
