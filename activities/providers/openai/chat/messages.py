"""A history as messages of the Chat Completions API. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from activities.prompt.portable import Taker, portable
from activities.providers.openai.content import (
    DOCUMENT,
    PICTURES,
    arguments,
    data_url,
    own_metadata,
    result_text,
)
from activities.providers.openai.ids import CallIds, wire_name
from activities.providers.openai.profiles import Profile
from activities.providers.protocol import PromptMessage

SHOWN_BELOW = "(The file follows in the next message.)"

Message = dict[str, Any]
Part = dict[str, Any]


def wire_messages(
    system: Sequence[str], messages: Iterable[PromptMessage], label: str, profile: Profile
) -> list[Message]:
    """The `messages` of a request.

    Args:
        system: instructions, which come first.
        label: under which is stored what this endpoint wants back.

    Raises:
        ValueError: a message holds a role or a part that has no wire form.
    """
    files = (PICTURES if profile.images else frozenset[str]()) | (
        {DOCUMENT} if profile.documents else frozenset[str]()
    )
    taker = Taker(label, files=files, result_files=files, provider_calls=False)
    history = portable(messages, taker)
    writer = _Writer(label, profile, CallIds(profile.max_call_id), _turn_start(history))
    wire: list[Message] = []
    if system:
        wire.append({"role": profile.system_role, "content": "\n\n".join(system)})
    for index, message in enumerate(history):
        for written in writer.written(index, message):
            if not (profile.merges_users and _merge(wire, written)):
                wire.append(written)
    return wire


def _turn_start(history: Sequence[PromptMessage]) -> int:
    """Index of the message that the answers in progress are answers to."""
    return max((index for index, message in enumerate(history) if message.role == "user"), default=0)


@dataclass(frozen=True, slots=True)
class _Writer:
    label: str
    profile: Profile
    ids: CallIds
    turn_start: int

    def written(self, index: int, message: PromptMessage) -> Iterable[Message]:
        match message.role:
            case "user":
                return _user(message.parts)
            case "assistant":
                return self._answer(message.parts, in_turn=index > self.turn_start)
            case "tool":
                return self._results(message.parts)
            case other:
                raise ValueError(f"a message of role {other!r} has no wire form")

    def _answer(self, parts: Sequence[Part], *, in_turn: bool) -> Iterable[Message]:
        calls = [self._call(part) for part in parts if part["type"] == "tool-call"]
        refusals = [part["text"] for part in parts if own_metadata(part, self.label).get("refusal")]
        content = self._said([part for part in parts if part.get("text") not in refusals])
        if not calls and not content and not refusals:
            return
        message: Message = {"role": "assistant", "content": content}
        texts = (own_metadata(part, self.label) for part in parts if part["type"] == "text")
        if signed := [own["extra_content"] for own in texts if "extra_content" in own]:
            message["extra_content"] = signed[-1]
        if refusals:
            message["refusal"] = "\n\n".join(refusals)
        if calls:
            message["tool_calls"] = calls
        yield message | self._reasoning(parts, in_turn=in_turn)

    def _said(self, parts: Sequence[Part]) -> str | list[Part] | None:
        """Text as every server takes it; with parts among it that the server alone knows, a list of parts."""
        content = [
            _text(part["text"]) if part["type"] == "text" else own_metadata(part, self.label)["block"]
            for part in parts
            if part["type"] in ("text", "opaque")
        ]
        if all(part["type"] == "text" for part in content):
            return "\n\n".join(part["text"] for part in content) or None
        return content

    def _call(self, part: Part) -> Message:
        call: Message = {
            "id": self.ids.of_call(part["tool_call_id"]),
            "type": "function",
            "function": {"name": wire_name(part["tool_name"]), "arguments": arguments(part)},
        }
        extra = own_metadata(part, self.label).get("extra_content")
        return call | ({"extra_content": extra} if extra else {})

    def _reasoning(self, parts: Sequence[Part], *, in_turn: bool) -> Message:
        own = [(part, own_metadata(part, self.label)) for part in parts if part["type"] == "reasoning"]
        if self.profile.reasoning_details:
            details = [detail for _, entries in own for detail in entries.get("reasoning_details") or ()]
            return {"reasoning_details": details} if details else {}
        if self.profile.returns_reasoning and in_turn:
            text = "".join(part["text"] for part, entries in own if entries)
            return {self.profile.reasoning[0]: text} if text else {}
        return {}

    def _results(self, parts: Sequence[Part]) -> Iterable[Message]:
        """Results are words here; files among them follow as if the user had sent them."""
        files: list[Part] = []
        for part in parts:
            if part["type"] != "tool-result":
                continue
            call_id = self.ids.of_result(part["tool_call_id"])
            content = result_text(part)
            if part.get("is_media"):
                content = f"{part['result']['text']}\n{SHOWN_BELOW}".lstrip()
                files += [_text(f"[tool {part['tool_name']}, call {call_id}]"), _media(part["result"])]
            yield {"role": "tool", "tool_call_id": call_id, "content": content}
        if files:
            yield {"role": "user", "content": files}


def _user(parts: Sequence[Part]) -> Iterable[Message]:
    if not parts:
        return
    if all(part["type"] == "text" for part in parts):
        # Plain text, which every server takes.
        yield {"role": "user", "content": "\n\n".join(part["text"] for part in parts)}
    else:
        yield {"role": "user", "content": [_content(part) for part in parts]}


def _content(part: Part) -> Part:
    return _media(part) if part["type"] == "file" else _text(part["text"])


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _media(file: Part) -> Part:
    address = data_url(file["media_type"], file["data"])
    if file["media_type"] in PICTURES:
        return {"type": "image_url", "image_url": {"url": address}}
    return {"type": "file", "file": {"filename": file.get("name") or "document.pdf", "file_data": address}}


def _merge(wire: list[Message], message: Message) -> bool:
    """Add a message to the one before it, if both are a user's."""
    if not wire or not wire[-1]["role"] == message["role"] == "user":
        return False
    before, after = wire[-1]["content"], message["content"]
    if isinstance(before, str) and isinstance(after, str):
        wire[-1]["content"] = f"{before}\n\n{after}"
    else:
        wire[-1]["content"] = [*_as_parts(before), *_as_parts(after)]
    return True


def _as_parts(content: Any) -> list[Part]:
    return [_text(content)] if isinstance(content, str) else content
