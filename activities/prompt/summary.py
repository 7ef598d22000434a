"""Prompts for a summary, and the summary as the model will see it. Pure.

The first prompt is the conversation as it was, with the same tools, so that the provider's cache still
serves it. When even that is too long, the conversation is told as plain text, shorter with each try.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from activities.prompt.assemble import ModelFacts, assemble
from activities.providers.protocol import ModelRequest, PromptMessage, ToolChoice, ToolSpec
from models.store.transcripts import TranscriptMessage

TRIES = 4
"""Ways to ask for a summary, each shorter than the one before."""

CLIPPED_CHARACTERS = 2000
"""What remains of a call or a result in the shorter ones."""

_TEMPLATES = Path(__file__).parent / "templates"
INSTRUCTION = (_TEMPLATES / "summarize.md").read_text().strip()
PREFIX = (_TEMPLATES / "summary_prefix.md").read_text().strip()
_BEGINNING_LEFT_OUT = "(The beginning of the conversation is left out here.)"

StoredPart = dict[str, Any]


def summary_request(
    transcript: Sequence[TranscriptMessage],
    model: ModelFacts,
    tools: Sequence[ToolSpec],
    headers: Mapping[str, str],
    *,
    attempt: int = 0,
    user_prompt: str | None = None,
) -> ModelRequest:
    """The request for a summary of a transcript.

    Args:
        attempt: from 0 to `TRIES - 1`; each later one makes a shorter prompt.
        user_prompt: as in the requests before, so that what is cached of them serves this one.
    """
    instruction = TranscriptMessage(0, "user", [{"type": "text", "text": INSTRUCTION}], None)
    if attempt == 0:
        request = assemble([*transcript, instruction], model, tools, headers, user_prompt=user_prompt)
        return replace(request, tool_choice=ToolChoice.NONE)
    told = assemble([*_told(transcript, attempt), instruction], model, (), headers)
    return replace(told, thinking_budget_tokens=None, provider_tools=())


def summary_text(summary: str) -> str:
    """The summary with the words that tell the model what it is."""
    return f"{PREFIX}\n\n{summary}"


def size_bytes(messages: Iterable[TranscriptMessage | PromptMessage]) -> int:
    """Size of what messages hold."""
    return sum(len(orjson.dumps(message.parts)) for message in messages)


def _told(transcript: Sequence[TranscriptMessage], attempt: int) -> list[TranscriptMessage]:
    system = [row for row in transcript if row.role == "system"]
    rows = [row for row in transcript if row.role != "system"]
    boundary = [row for row in rows[:1] if row.boundary]
    kept = rows[-max(1, len(rows) >> (attempt - 1)) :]
    if len(kept) < len(rows):
        left_out = TranscriptMessage(0, "user", [{"type": "text", "text": _BEGINNING_LEFT_OUT}], None)
        kept = [*(row for row in boundary if row is not kept[0]), left_out, *kept]
    return [*system, *(_as_text(row) for row in kept)]


def _as_text(row: TranscriptMessage) -> TranscriptMessage:
    texts = [text for part in row.parts if (text := _part_text(part))]
    role = "assistant" if row.role == "assistant" else "user"
    return replace(row, role=role, parts=[{"type": "text", "text": text} for text in texts])


def _part_text(part: StoredPart) -> str:
    match part["type"]:
        case "text":
            return part["text"]
        case "tool-call":
            return f"(called the tool {part['tool_name']} with {_clipped(part.get('args'))})"
        case "tool-result":
            return f"(the tool {part['tool_name']} answered: {_clipped(part.get('result'))})"
        case "file-reference":
            return f"(showed {part['file_name']}: {_clipped(part.get('content'))})"
        case _:
            return ""


def _clipped(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if len(text) <= CLIPPED_CHARACTERS:
        return text
    half = CLIPPED_CHARACTERS // 2
    return f"{text[:half]} […] {text[-half:]}"
