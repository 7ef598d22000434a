"""What people may see of the result of a tool that the vendor ran, and the sources in it. Pure.

The rest (encrypted content, whole documents) belongs to the vendor and is kept beside the part.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

MAX_SHOWN_CHARACTERS = 32_000
"""Of one text in a shown result; what the vendor gets back is whole."""

_NOT_SHOWN = frozenset({"type", "encrypted_content", "encrypted_index", "encrypted_stdout", "source"})


def shown_result(content: Any) -> Any:
    """The content of a result block as JSON for people."""
    if isinstance(content, Mapping):
        return _shown_object(cast("Mapping[str, Any]", content))
    if isinstance(content, list):
        items = cast("list[Any]", content)
        texts = [item["text"] for item in items if _is_text(item)]
        if texts and len(texts) == len(items):
            return _clipped("\n".join(texts))
        return [shown_result(item) for item in items]
    return _clipped(content) if isinstance(content, str) else content


def is_error(block: Mapping[str, Any]) -> bool:
    """Whether the tool failed."""
    content = block.get("content")
    kind = str(cast("Mapping[str, Any]", content).get("type", "")) if isinstance(content, Mapping) else ""
    return bool(block.get("is_error")) or kind.endswith("_error")


def tool_of_result(block_type: str) -> str:
    """The name of the tool by the type of its result, where its call is not known."""
    return block_type.removesuffix("_tool_result") or "tool"


def sources(content: Any) -> Iterator[tuple[str, str | None]]:
    """Addresses with titles that a result tells of."""
    items = cast("list[Any]", content) if isinstance(content, list) else [content]
    for item in items:
        if isinstance(item, Mapping):
            yield from _source(cast("Mapping[str, Any]", item))


def _source(item: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    url = item.get("url")
    if not isinstance(url, str) or not url:
        return
    document = item.get("content")
    inner = cast("Mapping[str, Any]", document).get("title") if isinstance(document, Mapping) else None
    title = item.get("title") or inner
    yield url, title if isinstance(title, str) else None


def _shown_object(content: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in content.items() if key not in _NOT_SHOWN}
    if not isinstance(shown.get("content"), str):
        shown.pop("content", None)  # a document, or what a program left behind
    return {key: _clipped(value) if isinstance(value, str) else value for key, value in shown.items()}


def _is_text(item: Any) -> bool:
    return isinstance(item, Mapping) and cast("Mapping[str, Any]", item).get("type") == "text"


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
