"""File names on their way through `Content-Disposition` (RFC 6266, RFC 8187)."""

from email.message import Message
from urllib.parse import quote

from api.errors import invalid
from models.file_rules import MAX_NAME_BYTES, plain_name


def file_name(header: str | None) -> str:
    """The name in `attachment; filename="…"`, without any folder.

    Raises:
        ApiError: 400, there is none.
    """
    parsed = Message()
    parsed["Content-Disposition"] = header or ""
    if header is None or parsed.get_content_disposition() != "attachment":
        raise _nameless()
    name = plain_name(parsed.get_filename() or "")
    if not name:
        raise _nameless()
    if len(name.encode()) > MAX_NAME_BYTES:
        raise invalid(("Content-Disposition", f"The name must have at most {MAX_NAME_BYTES} bytes."))
    return name


def _nameless() -> Exception:
    return invalid(("Content-Disposition", 'Must be `attachment; filename="…"` with the name of the file.'))


def disposition(name: str, *, inline: bool) -> str:
    """The header for a file that is sent."""
    return f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}"
