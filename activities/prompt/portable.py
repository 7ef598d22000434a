"""A history in parts that one vendor takes: what another one signed, ran or made becomes text. Pure.

A chat may change its model between turns, in both directions, so rows of all vendors stand side by side.
Whose a part is, is read from the name under which its metadata is kept. The same part becomes the same text
in every request, so that the vendor's cache goes on to know the conversation.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from activities.providers.protocol import PromptMessage

CLIPPED_CHARACTERS = 8_000
"""What remains of a call or a result that another vendor ran."""

TEXT_CHARACTERS = 128 * 1024
"""What remains of a text file that is put into the prompt itself."""

_CARRIED_OVER = "(Something another provider sent, of a kind that cannot be carried over: {kind}.)"

StoredPart = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taker:
    """What one endpoint takes back.

    Attributes:
        namespace: the name under which its metadata is kept.
        files: media types it takes from a user, `image/*` for all of a family.
        result_files: media types it takes as the result of a tool.
        provider_calls: takes calls back that its vendor ran, with their results.
    """

    namespace: str
    files: frozenset[str] = frozenset()
    result_files: frozenset[str] = frozenset()
    provider_calls: bool = True


def portable(messages: Iterable[PromptMessage], taker: Taker) -> list[PromptMessage]:
    """The messages with nothing in them that the endpoint would refuse, or could not read.

    What comes out holds parts of these types only: `text`, `reasoning` with metadata of the taker,
    `tool-call` and `tool-result` (`provider_executed` ones with metadata of the taker only), `file` with
    `data` of a type that it takes, and `opaque` ones of its own. Metadata of others is gone, sources too.
    Messages may be left without parts.
    """
    # made anew by hand: histories are long, and `replace` takes longer than the rest of this
    return [PromptMessage(message.role, _carried(message, taker)) for message in messages]


def _carried(message: PromptMessage, taker: Taker) -> list[StoredPart]:
    carried = (_carry(part, message.role, taker) for part in message.parts)
    return [part for part in carried if part is not None]


def _carry(part: StoredPart, role: str, taker: Taker) -> StoredPart | None:
    match part["type"]:
        case "text":
            return _with_own_metadata(part, taker) if part["text"].strip() else None
        case "reasoning":
            return _with_own_metadata(part, taker) if _own(part, taker) else None
        case "tool-call":
            return _call(part, taker)
        case "tool-result":
            return _result(part, taker)
        case "file":
            return _file(part, role, taker)
        case "file-reference":
            return _text(_snippet(part))
        case "opaque":
            return _with_own_metadata(part, taker) if _own(part, taker) else _text(_unknown(part))
        case "source":
            return None
        case other:
            raise ValueError(f"a part of type {other!r} has no wire form")


def _call(part: StoredPart, taker: Taker) -> StoredPart:
    if not part.get("provider_executed") or _stays(part, taker):
        return _with_own_metadata(part, taker)
    return _text(f"({part['tool_name']} was run by the model's provider with {_clipped(part.get('args'))})")


def _result(part: StoredPart, taker: Taker) -> StoredPart:
    if part.get("provider_executed") and not _stays(part, taker):
        return _text(f"({part['tool_name']} answered: {_clipped(part.get('result'))})")
    if part.get("is_media") and not _takes(part["result"]["media_type"], taker.result_files):
        return _named_media(_with_own_metadata(part, taker))
    return _with_own_metadata(part, taker)


def _stays(part: StoredPart, taker: Taker) -> bool:
    return taker.provider_calls and bool(_own(part, taker))


def _named_media(part: StoredPart) -> StoredPart:
    """A result that is a file, as words: what it is, where the vendor does not take such a file."""
    media: dict[str, str] = part["result"]
    words = f"{media['text']}\n[a file of type {media['media_type']} that cannot be shown]".lstrip()
    return {key: value for key, value in part.items() if key != "is_media"} | {"result": words}


def _file(part: StoredPart, role: str, taker: Taker) -> StoredPart | None:
    media_type: str = part["media_type"]
    name = part.get("name") or "without a name"
    data: str | None = part.get("data")
    if data is None:
        return _text(f"[file {name}: it is not there any more]") if role == "user" else None
    if _takes(media_type, taker.files) and role == "user":
        return _with_own_metadata(part, taker)
    if role != "user":
        return None
    if _is_text(media_type):
        return _text(_inlined(name, data))
    return _text(f"[file {name}: this model cannot read files of type {media_type}]")


def _inlined(name: str, data: str) -> str:
    written = base64.b64decode(data).decode(errors="replace")
    note = "" if len(written) <= TEXT_CHARACTERS else ", of which only the beginning is shown"
    return f"[file: {name}{note}]\n{written[:TEXT_CHARACTERS]}"


def _snippet(part: StoredPart) -> str:
    first, last = part.get("start_line") or 0, part.get("end_line") or 0
    lines = f", lines {first}-{last}" if last > first > 0 else f", line {first}" if first > 0 else ""
    content: str = part.get("content") or ""
    head = f"[file: {part['file_name']}{lines}]"
    return f"{head}\n{content}" if content.strip() else head


def _unknown(part: StoredPart) -> str:
    kept: dict[str, dict[str, Any]] = part["provider_metadata"]
    kinds = (str(entries.get("block", {}).get("type", "unknown")) for entries in kept.values())
    return _CARRIED_OVER.format(kind=", ".join(kind[:100] for kind in kinds))


def _own(part: StoredPart, taker: Taker) -> dict[str, Any] | None:
    metadata: dict[str, dict[str, Any]] = part.get("provider_metadata") or {}
    return metadata.get(taker.namespace)


def _with_own_metadata(part: StoredPart, taker: Taker) -> StoredPart:
    if "provider_metadata" not in part:
        return part
    bare = {key: value for key, value in part.items() if key != "provider_metadata"}
    own = _own(part, taker)
    return {**bare, "provider_metadata": {taker.namespace: own}} if own else bare


def _takes(media_type: str, taken: frozenset[str]) -> bool:
    return media_type in taken or f"{media_type.partition('/')[0]}/*" in taken


_TEXTS = ("application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml")


def _is_text(media_type: str) -> bool:
    plain = media_type.partition(";")[0].strip().lower()
    return plain.startswith("text/") or plain in _TEXTS or plain.endswith(("+json", "+xml"))


def _clipped(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if len(text) <= CLIPPED_CHARACTERS:
        return text
    half = CLIPPED_CHARACTERS // 2
    return f"{text[:half]} […] {text[-half:]}"


def _text(text: str) -> StoredPart:
    return {"type": "text", "text": text}
