"""What a user may say: input parts checked and turned into stored form (spec api.md 3.2)."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel, Field, JsonValue

from api.errors import ApiError, invalid
from models.parts import FileReferencePart, TextPart, dump_part


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be text, without half of a surrogate pair") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]
"""Text that can be stored and sent. JSON can spell code points that no encoding has."""


def _storable(value: JsonValue) -> JsonValue:
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"cannot be stored as JSON: {error}") from error
    return value


Json = Annotated[JsonValue, AfterValidator(_storable)]
"""Any JSON that can be stored and sent: text as above, numbers within 64 bits."""

_LINE = Annotated[int, Field(ge=0, le=2**31 - 1)]


class InputPart(BaseModel):
    """One part of a message. Which fields count depends on `type`: `text` takes `text`; `file-reference`
    takes `file_name` and, as a snippet of that file, `start_line`, `end_line` and `content`."""

    type: str = Field(examples=["text"])
    text: Text = Field(default="", examples=["What time is it?"])
    file_id: UUID | None = None
    file_name: Text = ""
    start_line: _LINE = 0
    end_line: _LINE = 0
    content: Text = ""


def stored_content(parts: Sequence[InputPart]) -> list[dict[str, Any]]:
    """The parts in stored form, in their order.

    Raises:
        ApiError: 400, a part breaks a rule; `validations` names it by its index.
    """
    if not parts:
        raise invalid(("content", "Must hold at least one part."))
    return [_stored_part(part, f"content[{index}]") for index, part in enumerate(parts)]


def _stored_part(part: InputPart, path: str) -> dict[str, Any]:
    match part.type.strip().lower():
        case "text":
            text = part.text.strip()
            if not text:
                raise invalid((f"{path}.text", "Must not be empty."))
            return dump_part(TextPart(text=text))
        case "file-reference":
            if not part.file_name.strip():
                raise invalid((f"{path}.file_name", "Must name the file."))
            return dump_part(
                FileReferencePart(
                    file_name=part.file_name,
                    start_line=part.start_line,
                    end_line=part.end_line,
                    content=part.content,
                )
            )
        case "file":
            raise _no_such_file(part, path)
        case _:
            raise invalid((f"{path}.type", 'Must be "text" or "file-reference".'))


def _no_such_file(part: InputPart, path: str) -> ApiError:
    if part.file_id is None:
        return invalid((f"{path}.file_id", "Must be the id of an uploaded file."))
    return invalid((f"{path}.file_id", f"There is no file {part.file_id}."))
