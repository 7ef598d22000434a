"""What the routes of files answer."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class StoredFile(BaseModel):
    """A file that a message may name, as a part of type `file`."""

    model_config = ConfigDict(extra="forbid")

    id: UUID


class DownloadLink(BaseModel):
    """A link that needs no token."""

    model_config = ConfigDict(extra="forbid")

    url: str
    expires_at: datetime = Field(description="Whole seconds.")
    sha256: str = Field(description="Of the bytes, in hex.")
    size_bytes: int
    name: str
    mime_type: str
