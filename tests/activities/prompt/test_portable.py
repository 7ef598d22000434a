"""What becomes of a history when the chat changes its model to another vendor's."""

import base64
import copy
from typing import Any

import pytest

from activities.prompt.portable import CLIPPED_CHARACTERS, TEXT_CHARACTERS, Taker, portable
from activities.providers.protocol import PromptMessage

ANTHROPIC = Taker("anthropic", files=frozenset({"image/png", "application/pdf"}))
OPENAI = Taker("openai", files=frozenset({"image/*"}), result_files=frozenset({"image/png"}))


def carried(taker: Taker, *parts: dict[str, Any], role: str = "assistant") -> list[dict[str, Any]]:
    (message,) = portable([PromptMessage(role, parts)], taker)
    assert message.role == role
    return list(message.parts)


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def file(media_type: str, content: bytes | None = b"hi", **more: Any) -> dict[str, Any]:
    data = {} if content is None else {"data": base64.b64encode(content).decode()}
    return {"type": "file", "media_type": media_type, **data, **more}


CALL: dict[str, Any] = {
    "type": "tool-call",
    "tool_call_id": "srv_1",
    "tool_name": "web_search",
    "args": {"query": "a"},
    "provider_executed": True,
    "provider_metadata": {"anthropic": {"block": {"type": "server_tool_use"}}},
}
RESULT: dict[str, Any] = {
    "type": "tool-result",
    "tool_call_id": "srv_1",
    "tool_name": "web_search",
    "result": [{"url": "https://a.example"}],
    "provider_executed": True,
    "provider_metadata": {"anthropic": {"block": {"type": "web_search_tool_result"}}},
}
REASONING = {"type": "reasoning", "text": "Hm.", "provider_metadata": {"anthropic": {"signature": "s"}}}
CITED = {**text("It is A."), "provider_metadata": {"anthropic": {"citations": [{"url": "u"}]}}}
UNKNOWN = {"type": "opaque", "provider_metadata": {"anthropic": {"block": {"type": "hologram"}}}}


def test_a_vendor_gets_all_of_its_own_back_unchanged() -> None:
    parts = [REASONING, CALL, RESULT, CITED, UNKNOWN]
    assert carried(ANTHROPIC, *parts) == parts


def test_what_another_vendor_ran_or_signed_becomes_text() -> None:
    source = {"type": "source", "url": "https://a.example"}
    assert carried(OPENAI, REASONING, CALL, RESULT, source, CITED, UNKNOWN) == [
        text('(web_search was run by the model\'s provider with {"query":"a"})'),
        text('(web_search answered: [{"url":"https://a.example"}])'),
        text("It is A."),
        text("(Something another provider sent, of a kind that cannot be carried over: hologram.)"),
    ]


def test_an_endpoint_of_the_vendor_that_runs_no_tools_is_told_of_them_too() -> None:
    without = Taker("anthropic", provider_calls=False)
    assert [part["type"] for part in carried(without, REASONING, CALL, RESULT)] == [
        "reasoning",
        "text",
        "text",
    ]


def test_reasoning_that_nobody_signed_is_left_out() -> None:
    assert carried(ANTHROPIC, {"type": "reasoning", "text": "lost"}) == []


def test_calls_of_ours_stay_calls_without_what_another_vendor_noted_on_them() -> None:
    call: dict[str, Any] = {"type": "tool-call", "tool_call_id": "a", "tool_name": "look", "args": {}}
    result = {"type": "tool-result", "tool_call_id": "a", "tool_name": "look", "result": 1}
    noted = {**call, "provider_metadata": {"openai": {"item_id": "fc_1"}}}
    assert carried(ANTHROPIC, noted, result) == [call, result]
    assert carried(OPENAI, noted) == [noted]


def test_a_long_result_of_another_vendor_is_clipped_in_its_middle() -> None:
    long = {**RESULT, "result": "a" * 5000 + "b" * 5000}
    (told,) = carried(OPENAI, long)
    assert len(told["text"]) < CLIPPED_CHARACTERS + 100
    assert "a […] b" in told["text"]


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (file("image/png", name="p.png"), None),
        (file("image/gif", name="p.gif"), "[file p.gif: this model cannot read files of type image/gif]"),
        (file("text/x-python", b"x = 1", name="a.py"), "[file: a.py]\nx = 1"),
        (file("application/ld+json", b"{}"), "[file: without a name]\n{}"),
        (file("image/png", None, name="p.png"), "[file p.png: it is not there any more]"),
    ],
)
def test_a_file_is_sent_read_out_or_named(part: dict[str, Any], told: str | None) -> None:
    assert carried(ANTHROPIC, part, role="user") == [part if told is None else text(told)]


def test_a_long_text_file_says_that_it_goes_on() -> None:
    (told,) = carried(OPENAI, file("text/plain", b"x" * (TEXT_CHARACTERS + 1), name="x"), role="user")
    assert told["text"].startswith("[file: x, of which only the beginning is shown]\n")
    assert told["text"].count("x") < TEXT_CHARACTERS + 10


def test_a_family_of_media_types_may_be_taken_as_a_whole() -> None:
    assert carried(OPENAI, file("image/tiff"), role="user") == [file("image/tiff")]


def test_files_that_are_not_a_users_are_left_out() -> None:
    assert carried(ANTHROPIC, file("image/png"), file("text/plain", None)) == []


def test_a_result_that_is_a_file_is_named_where_it_cannot_be_shown() -> None:
    result = {
        "type": "tool-result",
        "tool_call_id": "a",
        "tool_name": "look",
        "is_media": True,
        "result": {"media_type": "image/png", "data": "aGk=", "text": "seen"},
    }
    assert carried(OPENAI, result, role="tool") == [result]
    (named,) = carried(ANTHROPIC, result, role="tool")
    assert named["result"] == "seen\n[a file of type image/png that cannot be shown]"
    assert "is_media" not in named


def test_nothing_of_the_history_is_changed_and_the_same_comes_out_again() -> None:
    given = [PromptMessage("assistant", [REASONING, CALL, RESULT, CITED, UNKNOWN, file("image/png")])]
    before = copy.deepcopy(given)
    assert portable(given, OPENAI) == portable(given, OPENAI)
    assert given == before


def test_a_part_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no wire form"):
        carried(ANTHROPIC, {"type": "hologram"})
