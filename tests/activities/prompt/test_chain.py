"""When a conversation is told from the last answer on, and when whole."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from activities.prompt.chain import chain_link
from models.store.transcripts import TranscriptMessage

MODEL, OTHER = UUID(int=1), UUID(int=2)

Part = dict[str, Any]


def text(said: str) -> Part:
    return {"type": "text", "text": said}


def row(role: str, *parts: Part, **fields: Any) -> TranscriptMessage:
    return replace(TranscriptMessage(0, role, list(parts), None), **fields)


CALL: Part = {"type": "tool-call", "tool_call_id": "a", "tool_name": "f", "args": {}}
RESULT: Part = {"type": "tool-result", "tool_call_id": "a", "tool_name": "f", "result": 1}

SYSTEM = row("system", text("Be brief."))
ASKED = row("user", text("hello"))
ANSWERED = row("assistant", text("hi"), model_config_id=MODEL, provider_response_id="resp_1")
AGAIN = row("user", text("again"))


def test_what_was_said_since_and_the_system_prompts_are_told() -> None:
    link = chain_link([SYSTEM, ASKED, ANSWERED, AGAIN, ASKED], model_config_id=MODEL)
    assert link
    assert (link.response_id, link.rows) == ("resp_1", [SYSTEM, AGAIN, ASKED])


def test_the_last_answer_counts_and_not_one_before() -> None:
    earlier = replace(ANSWERED, provider_response_id="resp_0")
    link = chain_link([ASKED, earlier, ASKED, ANSWERED, AGAIN], model_config_id=MODEL)
    assert link
    assert (link.response_id, link.rows) == ("resp_1", [AGAIN])


LINKED: list[list[TranscriptMessage]] = [
    [ASKED, ANSWERED, row("user", {"type": "file", "media_type": "image/png"})],
    [ASKED, ANSWERED, row("user", {"type": "file-reference", "file_name": "a"})],
    [ASKED, ANSWERED, row("user", {"type": "context-file", "content": "x"})],
    [ASKED, ANSWERED, row("user", {"type": "skill", "name": "s"}, text("go"))],
    [ASKED, replace(ANSWERED, parts=[{**CALL, "provider_executed": True}]), AGAIN],
    [row("user", text("summary"), boundary=True), ANSWERED, AGAIN],
    [ASKED, row("assistant", CALL, model_config_id=MODEL), row("tool", RESULT), ANSWERED, AGAIN],
    [ASKED, replace(ANSWERED, model_config_id=OTHER), ASKED, ANSWERED, AGAIN],
]


@pytest.mark.parametrize("transcript", LINKED)
def test_it_goes_on_where(transcript: list[TranscriptMessage]) -> None:
    assert chain_link(transcript, model_config_id=MODEL)


WHOLE: dict[str, list[TranscriptMessage]] = {
    "nothing was answered yet": [SYSTEM, ASKED],
    "nothing is there": [],
    "nothing is new": [ASKED, ANSWERED],
    "only blanks are new": [ASKED, ANSWERED, row("user", text(" \n"))],
    "only a skill is new": [ASKED, ANSWERED, row("user", {"type": "skill", "name": "s"})],
    "only an empty context file is new": [
        ASKED,
        ANSWERED,
        row("user", {"type": "context-file", "content": ""}),
    ],
    "the vendor does not remember": [ASKED, replace(ANSWERED, provider_response_id=None), AGAIN],
    "another configuration answered": [ASKED, replace(ANSWERED, model_config_id=OTHER), AGAIN],
    "an unknown configuration answered": [ASKED, replace(ANSWERED, model_config_id=None), AGAIN],
    "a call is unanswered": [ASKED, replace(ANSWERED, parts=[CALL]), AGAIN],
    "results were never seen": [ASKED, replace(ANSWERED, parts=[CALL]), row("tool", RESULT), AGAIN],
    "the turn goes on": [ASKED, replace(ANSWERED, parts=[CALL]), row("tool", RESULT)],
    "an interrupted answer came last": [ASKED, ANSWERED, AGAIN, row("assistant", text("we")), AGAIN],
    "a summary stands for what the vendor remembers": [ANSWERED, row("user", text("s"), boundary=True)],
}


@pytest.mark.parametrize("why", WHOLE)
def test_it_is_told_whole_where(why: str) -> None:
    assert chain_link(WHOLE[why], model_config_id=MODEL) is None


def test_plan_mode_is_told_whole() -> None:
    assert chain_link([ASKED, ANSWERED, AGAIN], model_config_id=MODEL, plan_mode=True) is None
