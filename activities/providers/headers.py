"""What a request to a model says about where it comes from (spec chat-loop.md 3.1)."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from uuid import UUID


@cache
def user_agent() -> str:
    """The product and its version."""
    try:
        return f"perdure/{version('perdure')}"
    except PackageNotFoundError:  # run from a checkout
        return "perdure/0"


def request_headers(owner_id: UUID, chat_id: UUID) -> dict[str, str]:
    """Headers that tell gateways on the way whose chat a call is for."""
    return {
        "User-Agent": user_agent(),
        "X-Coder-Owner-Id": str(owner_id),
        "X-Coder-Chat-Id": str(chat_id),
    }
