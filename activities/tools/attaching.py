"""Files that tools give to the chat: the same rules as for those that people upload."""

from uuid import uuid4

from activities.tools.tool import Attachment, ToolError
from models.file_rules import (
    MAX_FILE_BYTES,
    MAX_NAME_BYTES,
    MediaTypeRefused,
    checked_media_type,
    plain_name,
)


def attachment(name: str, data: bytes) -> Attachment:
    """A file to be attached. Its id is new: which attempt at a call has attached anything is decided by the
    ledger, as with the result.

    Raises:
        ToolError: it has no name, is empty, too large, or of a type that is not kept.
    """
    plain = plain_name(name)
    if not plain or len(plain.encode()) > MAX_NAME_BYTES:
        raise ToolError(f"name: {name[:300]!r} is not the name of a file of at most {MAX_NAME_BYTES} bytes.")
    if not data:
        raise ToolError(f"{plain} is empty.")
    if len(data) > MAX_FILE_BYTES:
        raise ToolError(f"{plain} has {len(data)} bytes; files up to {MAX_FILE_BYTES} bytes can be attached.")
    try:
        media_type = checked_media_type("", plain, data)
    except MediaTypeRefused as error:
        raise ToolError(str(error)) from None
    return Attachment(uuid4(), plain, media_type, data)
