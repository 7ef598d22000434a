"""A history as items of the Responses API. Pure.

What the vendor said goes back as the items it came in. Items of one answer belong together: reasoning must be
followed by what it led to, and an item that is named by its id must not come without its reasoning.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from activities.prompt.portable import Taker, portable
from activities.providers.json_text import as_object
from activities.providers.openai.content import (
    DOCUMENT,
    PICTURES,
    arguments,
    data_url,
    own_metadata,
    result_text,
)
from activities.providers.openai.ids import CallIds, wire_name
from activities.providers.protocol import PromptMessage

MAX_CALL_ID = 64

Item = dict[str, Any]
Part = dict[str, Any]


def wire_items(messages: Iterable[PromptMessage], label: str, *, stored: bool) -> list[Item]:
    """The `input` of a request.

    Args:
        label: under which is stored what this endpoint wants back.
        stored: the vendor stores the answers of this model, so that their items can be named by id.

    Raises:
        ValueError: a message holds a role or a part that has no wire form.
    """
    taken = PICTURES | {DOCUMENT}
    ids = CallIds(MAX_CALL_ID)
    items: list[Item] = []
    for message in portable(messages, Taker(label, files=taken, result_files=taken)):
        match message.role:
            case "user":
                items += _user_message(message.parts)
            case "assistant":
                items += _AnswerItems(label, stored, ids).of(message.parts)
            case "tool":
                items += [_output(part, ids) for part in message.parts if part["type"] == "tool-result"]
            case other:
                raise ValueError(f"a message of role {other!r} has no wire form")
    return items


def _user_message(parts: Sequence[Part]) -> Iterator[Item]:
    content = [_input_content(part) for part in parts]
    if content:
        yield {"type": "message", "role": "user", "content": content}


def _input_content(part: Part) -> Item:
    if part["type"] == "file":
        return _file(part["media_type"], part["data"], part.get("name"))
    return {"type": "input_text", "text": part["text"]}


def _file(media_type: str, data: str, name: str | None) -> Item:
    address = data_url(media_type, data)
    if media_type in PICTURES:
        return {"type": "input_image", "image_url": address, "detail": "auto"}
    return {"type": "input_file", "filename": name or "document.pdf", "file_data": address}


def _output(part: Part, ids: CallIds) -> Item:
    call_id = ids.of_result(part["tool_call_id"])
    output: Any = result_text(part)
    if part.get("is_media"):
        media = part["result"]
        words = [{"type": "input_text", "text": media["text"]}] if media["text"].strip() else []
        output = [*words, _file(media["media_type"], media["data"], media.get("name"))]
    return {"type": "function_call_output", "call_id": call_id, "output": output}


@dataclass(slots=True)
class _AnswerItems:
    """The items of one answer."""

    label: str
    stored: bool
    ids: CallIds
    items: list[Item] = field(default_factory=list[Item])
    open_message: str | None = None

    def of(self, parts: Sequence[Part]) -> list[Item]:
        for part in parts:
            own = own_metadata(part, self.label)
            if part["type"] != "text":
                self.open_message = None
            match part["type"]:
                case "text":
                    self._text(part, own)
                case "reasoning":
                    self._reasoning(own)
                case "tool-call":
                    self._call(part, own)
                case _:
                    # A tool of the vendor and its result are one item, kept with the result.
                    if block := own.get("block"):
                        self.items.append(dict(block))
        return list(_followed(self.items))

    def _named(self, own: dict[str, Any]) -> dict[str, Any]:
        """The id of an item, where the vendor knows it."""
        return {"id": own["id"]} if self.stored and own.get("stored") and own.get("id") else {}

    def _text(self, part: Part, own: dict[str, Any]) -> None:
        content: Item = {"type": "output_text", "text": part["text"]}
        if own.get("refusal"):
            content = {"type": "refusal", "refusal": part["text"]}
        elif annotations := own.get("annotations"):
            content["annotations"] = annotations
        if own.get("id") and own["id"] == self.open_message:
            self.items[-1]["content"].append(content)
            return
        message: Item = {"type": "message", "role": "assistant", "content": [content]}
        if named := self._named(own):
            content.setdefault("annotations", []) if content["type"] == "output_text" else None
            message |= {**named, "status": "completed"}
        if own.get("phase"):
            message["phase"] = own["phase"]
        self.items.append(message)
        self.open_message = own.get("id")

    def _reasoning(self, own: dict[str, Any]) -> None:
        block = {key: value for key, value in as_object(own.get("block")).items() if key != "status"}
        if not self._named({**own, "id": block.get("id")}):
            block.pop("id", None)
        # Without its proof a vendor that has not stored it can make nothing of it.
        if block and (block.get("id") or block.get("encrypted_content")):
            self.items.append(block)

    def _call(self, part: Part, own: dict[str, Any]) -> None:
        if part.get("provider_executed"):
            return
        extra = {key: value for key, value in own.items() if key not in ("id", "stored")}
        self.items.append(
            {
                "type": "function_call",
                **self._named(own),
                "call_id": self.ids.of_call(part["tool_call_id"]),
                "name": wire_name(part["tool_name"]),
                "arguments": arguments(part),
                **extra,
            }
        )


def _followed(items: Sequence[Item]) -> Iterator[Item]:
    """The items without reasoning at the end that led to nothing."""
    last = max((index for index, item in enumerate(items) if item["type"] != "reasoning"), default=-1)
    yield from items[: last + 1]
