"""What a user may say: input parts checked and turned into stored form (spec api.md 3.2)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel, Field, JsonValue

from api.errors import invalid
from api.services import Services
from models.nesting import STORED_LEVELS, nests_deeper
from models.parts import FilePart, FileReferencePart, TextPart, dump_part
from models.store.accounts import Caller
from models.store.file_links import FILES_PER_CHAT
from models.store.files import FileRecord, find_files


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be text, without half of a surrogate pair") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]
"""Text that can be stored and sent. JSON can spell code points that no encoding has."""


def _storable(value: JsonValue) -> JsonValue:
    if nests_deeper(value):
        raise ValueError(f"must not be nested more than {STORED_LEVELS} deep")
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"cannot be stored as JSON: {error}") from error
    return value


Json = Annotated[JsonValue, AfterValidator(_storable)]
"""Any JSON that can be stored and sent: text as above, numbers within 64 bits, not nested too deeply."""

_LINE = Annotated[int, Field(ge=0, le=2**31 - 1)]


class InputPart(BaseModel):
    """One part of a message. Which fields count depends on `type`: `text` takes `text`; `file` takes the
    `file_id` of an uploaded file; `file-reference` takes `file_name` and, as a snippet of that file,
    `start_line`, `end_line` and `content`."""

    type: str = Field(examples=["text"])
    text: Text = Field(default="", examples=["What time is it?"])
    file_id: UUID | None = None
    file_name: Text = ""
    start_line: _LINE = 0
    end_line: _LINE = 0
    content: Text = ""

    @property
    def kind(self) -> str:
        return self.type.strip().lower()


NO_SUCH_FILE = "There is no such file, it is gone, or another chat has it. Upload it again."


async def read_content(
    services: Services, caller: Caller, parts: Sequence[InputPart], chat_id: UUID | None = None
) -> list[dict[str, Any]]:
    """The parts in stored form, in their order.

    Args:
        chat_id: the chat they are for, None if it is yet to be made.

    Raises:
        ApiError: 400, a part breaks a rule; `validations` names it by its index.
    """
    if not parts:
        raise invalid(("content", "Must hold at least one part."))
    wanted = {part.file_id for part in parts if part.kind == "file" and part.file_id is not None}
    if len(wanted) > FILES_PER_CHAT:
        raise invalid(("content", f"Must name at most {FILES_PER_CHAT} files."))
    found = await find_files(services.engine, caller.user_id, wanted) if wanted else {}
    usable = {file.id: file for file in found.values() if file.chat_id in (None, chat_id)}
    return [_stored_part(part, f"content[{index}]", usable) for index, part in enumerate(parts)]


def _stored_part(part: InputPart, path: str, files: Mapping[UUID, FileRecord]) -> dict[str, Any]:
    match part.kind:
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
            if part.file_id is None:
                raise invalid((f"{path}.file_id", "Must be the id of an uploaded file."))
            file = files.get(part.file_id)
            if file is None:
                raise invalid((f"{path}.file_id", NO_SUCH_FILE))
            return dump_part(FilePart(file_id=str(file.id), media_type=file.mime_type, name=file.name))
        case _:
            raise invalid((f"{path}.type", 'Must be "text", "file" or "file-reference".'))
