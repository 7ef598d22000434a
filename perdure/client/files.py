"""Files that messages name."""

import mimetypes
from datetime import datetime
from urllib.parse import quote

from perdure.client.connection import PREFIX, Connection
from perdure.client.home import Home
from perdure.client.reading import path_of, read
from perdure.client.shapes import Shape

_UNKNOWN = "application/octet-stream"


class File(Shape):
    """A file that is stored."""

    id: str

    @property
    def part(self) -> dict[str, str]:
        """The part of a message that names it: `[{"type": "text", ...}, file.part]`."""
        return {"type": "file", "file_id": self.id}


class DownloadLink(Shape):
    """A link that needs no token, until it expires. `sha256` is of the bytes, in hex."""

    url: str
    expires_at: datetime
    sha256: str
    size_bytes: int
    name: str
    mime_type: str


class Files:
    """Stores and fetches files. One that no message names is deleted after a week."""

    def __init__(self, connection: Connection, home: Home) -> None:
        self._connection = connection
        self._home = home

    async def upload(
        self, data: bytes, name: str, *, media_type: str | None = None, organization_id: str | None = None
    ) -> File:
        """Store a file: an image, a PDF or a text of at most 10 MiB.

        Args:
            data: Its bytes.
            name: What it is called.
            media_type: What it is. Default: what the name says, else what the bytes are.
            organization_id: Of the chats that will use it, by default the first one that the user is in.

        Raises:
            BadRequest: It is no file that chats take, or not what was said.
            TooLarge: It has more than 10 MiB.
        """
        request = self._connection.http.build_request(
            "POST",
            f"{PREFIX}/chats/files",
            params={"organization": await self._home.id(organization_id)},
            content=data,
            headers={
                "Content-Type": media_type or mimetypes.guess_type(name)[0] or _UNKNOWN,
                "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            },
        )
        return read(File, (await self._connection.send(request)).json())

    async def download(self, file_id: str) -> bytes:
        """The bytes of a file.

        Raises:
            NotFound: There is none, or it is not yours to see.
        """
        http = self._connection.http
        request = http.build_request("GET", PREFIX + path_of("chats", "files", file_id))
        return (await self._connection.send(request)).content

    async def link(self, file_id: str) -> DownloadLink:
        """A link to a file that works without a token for five minutes."""
        path = path_of("chats", "files", file_id, "download-url")
        return read(DownloadLink, await self._connection.request("POST", path))
