"""What is asked for a summary, and how it gets shorter."""

from typing import Any

import pytest

from activities.prompt.assemble import ModelFacts
from activities.prompt.summary import (
    CLIPPED_CHARACTERS,
    INSTRUCTION,
    PREFIX,
    TRIES,
    size_bytes,
    summary_request,
    summary_text,
)
from activities.providers.protocol import ModelRequest, ToolChoice, ToolSpec
from models.store.transcripts import TranscriptMessage, unanswered

FACTS = ModelFacts("m", 1000, 2000)
TOOLS = [ToolSpec("look", "Look.", {"type": "object"})]


def row(number: int, role: str, *parts: dict[str, Any], boundary: bool = False) -> TranscriptMessage:
    return TranscriptMessage(number, role, list(parts), None, boundary=boundary)


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


CALL = {"type": "tool-call", "tool_call_id": "c", "tool_name": "look", "args": {"at": "x"}}
RESULT = {"type": "tool-result", "tool_call_id": "c", "tool_name": "look", "result": "r" * 9000}
TRANSCRIPT = [
    row(1, "system", text("Be brief.")),
    row(2, "user", text("summary before"), boundary=True),
    row(3, "user", text("go")),
    row(4, "assistant", {"type": "reasoning", "text": "hm"}, text("looking"), CALL),
    row(5, "tool", RESULT),
    row(6, "assistant", text("done")),
]


def words(request: ModelRequest) -> list[str]:
    return [part["text"] for message in request.messages for part in message.parts if "text" in part]


def asked(attempt: int) -> ModelRequest:
    return summary_request(TRANSCRIPT, FACTS, TOOLS, {"h": "1"}, attempt=attempt)


def test_the_first_prompt_is_the_conversation_as_it_was_with_its_tools() -> None:
    request = asked(0)
    assert (request.tools, request.tool_choice, request.system) == (TOOLS, ToolChoice.NONE, ["Be brief."])
    assert request.messages[:-1] != []
    assert request.messages[2].parts == TRANSCRIPT[3].parts
    assert words(request)[-1] == INSTRUCTION


def test_the_second_prompt_tells_the_conversation_as_text() -> None:
    request = asked(1)
    assert (request.tools, request.thinking_budget_tokens) == ([], None)
    told = words(request)
    assert told[:3] == ["summary before", "go", "looking"]
    assert '(called the tool look with {"at":"x"})' in told
    assert max(len(t) for t in told[:-1]) < CLIPPED_CHARACTERS + 100
    assert "hm" not in told


@pytest.mark.parametrize("attempt", range(2, TRIES))
def test_later_prompts_leave_out_the_beginning_but_not_the_last_summary(attempt: int) -> None:
    shorter, longer = asked(attempt), asked(attempt - 1)
    assert size_bytes(shorter.messages) < size_bytes(longer.messages) + 100
    told = words(shorter)
    assert told[0] == "summary before"
    assert "left out" in told[1]
    assert told[-2:] == ["done", INSTRUCTION]


def test_the_instruction_asks_for_the_next_steps() -> None:
    assert "next steps" in INSTRUCTION
    assert "never advise against a whole tool" in INSTRUCTION


def test_the_summary_says_what_it_is() -> None:
    assert summary_text("S") == f"{PREFIX}\n\nS"


def test_messages_without_an_answer_are_those_at_the_end() -> None:
    waiting = [row(7, "user", text("a")), row(8, "user", text("b"))]
    assert unanswered([*TRANSCRIPT, *waiting]) == waiting
    assert unanswered(TRANSCRIPT) == []
    assert unanswered(TRANSCRIPT[:2]) == [], "a boundary is no message of a person"
