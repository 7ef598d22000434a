"""The blocks of an answer while it is written, one class per kind: what is shown and what is kept. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from activities.providers.json_text import decode_json
from models.nesting import nests_deeper
from models.parts import (
    OpaquePart,
    Part,
    ReasoningPart,
    SourcePart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    dump_part,
    public_part,
)
from models.shell_commands import parsed_commands

StoredPart = dict[str, Any]


@dataclass(slots=True)
class Block:
    """What all kinds have: the vendor's metadata, and the sources the block told of."""

    metadata: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    sources: list[SourcePart] = field(default_factory=list[SourcePart])

    def annotate(self, metadata: Mapping[str, Mapping[str, Any]]) -> None:
        """Take metadata over, key by key; what is empty does not displace what is not."""
        for vendor, entries in metadata.items():
            mine = self.metadata.setdefault(vendor, {})
            mine.update({key: value for key, value in entries.items() if value or not mine.get(key)})

    def end(self, now: datetime) -> StoredPart | None:
        """The block is whole; the part that readers are to see now, if there is one."""
        return None

    def part(self, interrupted_at: datetime | None) -> Part | None:
        """What is kept; None if there is nothing. An answer that was cut short ended at `interrupted_at`."""
        raise NotImplementedError

    @property
    def is_output(self) -> bool:
        """Whether there is something to see or to run."""
        return self.part(None) is not None


@dataclass(slots=True)
class TextBlock(Block):
    pieces: list[str] = field(default_factory=list[str])

    def append(self, text: str) -> StoredPart | None:
        self.pieces.append(text)
        return {"type": "text", "text": text} if text else None

    def part(self, interrupted_at: datetime | None) -> Part | None:
        text = "".join(self.pieces)
        return TextPart(text=text, provider_metadata=_kept(self.metadata)) if text.strip() else None


@dataclass(slots=True, kw_only=True)
class ReasoningBlock(Block):
    created_at: datetime
    completed_at: datetime | None = None
    pieces: list[str] = field(default_factory=list[str])

    def append(self, text: str) -> StoredPart | None:
        self.pieces.append(text)
        return {"type": "reasoning", "text": text} if text else None

    def end(self, now: datetime) -> None:
        self.completed_at = self.completed_at or now

    def part(self, interrupted_at: datetime | None) -> Part | None:
        text = "".join(self.pieces)
        if not text.strip() and not self.metadata:
            return None
        return ReasoningPart(
            text=text,
            created_at=self.created_at,
            completed_at=self.completed_at or interrupted_at,
            provider_metadata=_kept(self.metadata),
        )

    @property
    def is_output(self) -> bool:
        return False  # to think is not to answer


@dataclass(slots=True, kw_only=True)
class CallBlock(Block):
    call_id: str
    name: str
    provider_executed: bool = False
    completed_at: datetime | None = None
    pieces: list[str] = field(default_factory=list[str])

    def append(self, json_text: str) -> StoredPart:
        self.pieces.append(json_text)
        preview = {"type": "tool-call", "tool_call_id": self.call_id, "tool_name": self.name}
        executed = {"provider_executed": True} if self.provider_executed else {}
        return {**preview, **executed, "args_delta": json_text}

    def end(self, now: datetime) -> StoredPart | None:
        if self.completed_at is not None:
            return None
        self.completed_at = now
        return public_part(dump_part(self.part(None)))

    def part(self, interrupted_at: datetime | None) -> Part:
        written = "".join(self.pieces)
        whole = self.completed_at is not None
        args = _whole_arguments(written) if whole else _object_or_none(written)
        return ToolCallPart(
            tool_call_id=self.call_id,
            tool_name=self.name,
            args=args,
            parsed_commands=parsed_commands(self.name, args),
            provider_executed=self.provider_executed or None,
            created_at=self.completed_at,
            provider_metadata=_kept(self.metadata),
        )


@dataclass(slots=True, kw_only=True)
class ResultBlock(Block):
    call_id: str
    name: str
    result: Any
    is_error: bool
    created_at: datetime

    def shown(self) -> StoredPart:
        return public_part(dump_part(self.part(None)))

    def part(self, interrupted_at: datetime | None) -> Part:
        return ToolResultPart(
            tool_call_id=self.call_id,
            tool_name=self.name,
            result=self.result,
            is_error=self.is_error or None,
            provider_executed=True,
            created_at=self.created_at,
            provider_metadata=_kept(self.metadata),
        )


@dataclass(slots=True)
class UnknownBlock(Block):
    def part(self, interrupted_at: datetime | None) -> Part:
        return OpaquePart(provider_metadata=_kept(self.metadata) or {})


def _kept(metadata: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    return {vendor: dict(entries) for vendor, entries in metadata.items()} or None


def _whole_arguments(written: str) -> Any:
    """What a complete call asks: nothing written is no arguments; what is not JSON, or nested too deeply, is
    kept as it stands."""
    if not written.strip():
        return {}
    try:
        value = decode_json(written)
    except ValueError:
        return written
    return written if nests_deeper(value) else value


def _object_or_none(written: str) -> Any:
    """Arguments of a call that was cut: a number or text may be cut as well and still be JSON."""
    try:
        value = decode_json(written)
    except ValueError:
        return None
    if not isinstance(value, dict) or nests_deeper(value):
        return None
    return value  # pyright: ignore[reportUnknownVariableType]
