"""What the model is told of a call: text that is valid and not too long, or media."""

import json
import re
from base64 import b64decode
from dataclasses import dataclass, replace

import orjson
from pydantic import JsonValue

from activities.providers.json_text import as_object
from activities.tools.tool import Attachment, Media, Result, ToolError, WithFiles
from models.nesting import STORED_LEVELS, nests_deeper
from models.tool_output import shortened, text_of

_SURROGATE = re.compile("[\ud800-\udfff]")

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}")

MAX_MEDIA_CHARACTERS = 5 * 1024 * 1024
"""Of one result that is media, in base64: what the strictest vendor takes of one picture. One that is larger
would end every later turn of the chat."""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """The result of a call.

    Attributes:
        result: can be stored as JSON in UTF-8.
        is_error: the call failed.
        is_media: `result` holds `media_type`, `data` in base64, and `text`.
        unknown: nobody knows whether the call had its effect.
        files: what the tool gives to the chat.
    """

    result: JsonValue
    is_error: bool = False
    is_media: bool = False
    unknown: bool = False
    files: tuple[Attachment, ...] = ()

    def text(self) -> str:
        """The result as a model reads it."""
        return text_of(self.result)


def outcome_of(result: Result) -> ToolOutcome:
    """What a tool has answered.

    Raises:
        ValueError: it is no JSON: of another type, or with numbers that JSON does not have; or nested more
            than 100 deep.
        TypeError: the same; or whole numbers beyond 64 bits, which nobody can encode who is to be told.
        ToolError: it is media that no model takes.
    """
    if isinstance(result, WithFiles):
        return replace(outcome_of(result.result), files=result.files)
    if isinstance(result, Media):
        _checked_media(result)
        media: dict[str, JsonValue] = {"media_type": result.media_type, "data": result.data}
        return ToolOutcome(valid_text({**media, "text": result.text}), is_media=True)
    json.dumps(result, allow_nan=False)
    if nests_deeper(result):
        raise ValueError(f"the result is nested more than {STORED_LEVELS} deep")
    value = valid_text(result)
    orjson.dumps(value)
    return ToolOutcome(value)


def failed(text: str) -> ToolOutcome:
    return ToolOutcome(valid_text(text), is_error=True)


def valid_text(value: JsonValue) -> JsonValue:
    """The value with every text fit for UTF-8: halves of surrogate pairs become U+FFFD."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [valid_text(item) for item in value]
        case dict():
            return {_SURROGATE.sub("\ufffd", key): valid_text(item) for key, item in value.items()}
        case _:
            return value


def truncated(outcome: ToolOutcome, budget: int) -> ToolOutcome | None:
    """The outcome cut to a budget in bytes; None if it fits. Of media only the text beside them is cut."""
    if outcome.is_media:
        media = as_object(outcome.result)
        text = shortened(media["text"], budget)
        return None if text is None else replace(outcome, result={**media, "text": text})
    text = shortened(outcome.result, budget)
    return None if text is None else replace(outcome, result=text)


def _checked_media(media: Media) -> None:
    """Refuse what no model takes, while the tool can still say so.

    Raises:
        ToolError: the media type or the base64 is none, or there is too much of it.
    """
    if not _MEDIA_TYPE.fullmatch(media.media_type):
        raise ToolError(f"The tool has returned media of no type that there is: {media.media_type[:100]!r}.")
    if len(media.data) > MAX_MEDIA_CHARACTERS:
        raise ToolError(
            f"The tool has returned {media.media_type} of {_megabytes(len(media.data))} in base64; "
            f"{_megabytes(MAX_MEDIA_CHARACTERS)} can be shown to a model at most. Ask for a smaller one: "
            "a lower resolution, a part of it, or another format."
        )
    try:
        b64decode(media.data, validate=True)
    except ValueError:
        raise ToolError(f"The tool has returned {media.media_type} that is not base64.") from None


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:.1f} MiB"
