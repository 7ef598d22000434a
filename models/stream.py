"""The live view in Redis: names of keys and the form of entries. Shared by its writer and its reader.

One stream per chat holds what is not yet in Postgres: the parts of the step in flight (an *episode*), and
wake-ups that tell readers to look at the rows. Spec state-machine.md section 4: an episode is named by
(`history_version`, `generation_attempt`) and its parts are numbered from `seq` 1 without gaps.
"""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

STREAM_MAX_ENTRIES = 10_000
"""Entries kept per chat; older ones fall out. A commit empties the stream long before."""

STREAM_EXPIRE_SECONDS = 3600
"""A stream nobody writes to disappears after this."""

EPISODE_MAX_BYTES = 1 << 20
"""Parts of one episode beyond this are not previewed; the committed message is whole all the same."""

STOP_CHANNEL = "perdure:stop"
"""Pub/sub channel on which workers hear which turns to stop."""

Role = Literal["assistant", "tool"]


def stream_key(chat_id: UUID) -> str:
    return f"perdure:chat:{chat_id}:stream"


@dataclass(frozen=True, slots=True)
class Episode:
    """One attempt at one step. A higher history version, then a higher attempt, is the newer one."""

    history_version: int
    generation_attempt: int

    def newer_than(self, other: "Episode") -> bool:
        return (self.history_version, self.generation_attempt) > (
            other.history_version,
            other.generation_attempt,
        )


@dataclass(frozen=True, slots=True)
class PreviewPart:
    """A part of the step in flight, in the JSON form clients see."""

    seq: int
    role: Role
    part: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """Entry: parts of an episode, in order."""

    episode: Episode
    parts: tuple[PreviewPart, ...]


@dataclass(frozen=True, slots=True)
class WakeUp:
    """Entry: the chat's rows changed; they are at least at this snapshot version."""

    snapshot_version: int


Entry = Preview | WakeUp


def encode_entry(entry: Entry) -> dict[str, bytes]:
    """The fields of a Redis stream entry."""
    match entry:
        case Preview(episode, parts):
            body: Any = {
                "h": episode.history_version,
                "a": episode.generation_attempt,
                "p": [[part.seq, part.role, part.part] for part in parts],
            }
        case WakeUp(version):
            body = {"v": version}
    return {"e": orjson.dumps(body)}


def decode_entry(fields: dict[bytes, bytes]) -> Entry | None:
    """The entry in these fields; None for one that a newer release wrote in a form unknown here."""
    body: dict[str, Any] = orjson.loads(fields.get(b"e", b"{}"))
    if "p" in body:
        parts = tuple(PreviewPart(seq, role, part) for seq, role, part in body["p"])
        return Preview(Episode(body["h"], body["a"]), parts)
    if "v" in body:
        return WakeUp(body["v"])
    return None


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop order: whoever streams this turn of this chat ends it and keeps what there is."""

    chat_id: UUID
    turn: int

    def encode(self) -> bytes:
        return f"{self.chat_id}/{self.turn}".encode()

    @classmethod
    def decode(cls, data: bytes) -> "Stop":
        chat, _, turn = data.decode().partition("/")
        return cls(UUID(chat), int(turn))
