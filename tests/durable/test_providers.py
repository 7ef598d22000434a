"""Every kind of provider through the same turns: whole chats, a real worker, the wire of each vendor.

Behind all of them stands one scripted server, which refuses what the vendor would refuse; and whatever was
sent is held against the rules of its protocol.
"""

import base64
import json
from itertools import permutations
from uuid import uuid4

import pytest

from activities.providers.demo import script_block
from tests.api.files.bytes_of import PDF, PNG
from tests.durable.caller import Body, text_of
from tests.durable.talks import KINDS, SEARCHING, SECOND_ACCOUNT, Talk, parts

TIME: Body = {"name": "current_time", "input": {"timezone": "Asia/Tokyo"}}
UTC: Body = {"name": "current_time", "input": {}}
SEARCH: Body = {
    "server_tools": [{"kind": "web_search", "input": {"query": "weather"}}],
    "sources": [{"url": "https://example.org/weather", "title": "Weather"}],
}
TOOL_TURN = ({"thinking": "A clock would help.", "text": "Let me look.", "tools": [TIME]}, {"text": "Noon."})


@pytest.mark.parametrize("kind", KINDS)
async def test_text(talk: Talk, kind: str) -> None:
    usage = {"input_tokens": 70, "output_tokens": 30, "cache_read_input_tokens": 50}
    messages = await talk.turn(kind, {"text": "Hello, “you” 🦀.", "usage": usage})
    await talk.is_sound("Hello, “you” 🦀.")
    counted = messages[-1]["usage"]
    assert (counted["input_tokens"], counted["output_tokens"], counted["cache_read_tokens"]) == (70, 30, 50)
    assert counted["total_tokens"] == 150


@pytest.mark.parametrize("kind", KINDS)
async def test_thinking_and_a_tool(talk: Talk, kind: str) -> None:
    messages = await talk.turn(kind, *TOOL_TURN)
    await talk.is_sound("Let me look.", "Noon.")
    (call,), (result,) = parts(messages, "tool-call"), parts(messages, "tool-result")
    assert call["args"] == TIME["input"]
    assert result["tool_call_id"] == call["tool_call_id"]
    told = [part["text"] for part in parts(messages, "reasoning")]
    # OpenAI tells no reasoning over this interface
    assert told == ([] if kind == "openai-chat" else ["A clock would help."])
    assert all("provider_metadata" not in part for message in messages for part in message["content"])


@pytest.mark.parametrize("kind", KINDS)
async def test_tools_in_parallel(talk: Talk, kind: str) -> None:
    framing = {"interleaved": True, "first_tool_index": 1, "chunk_bytes": 40}
    calls = {"tools": [TIME, UTC, TIME], "framing": framing}
    messages = await talk.turn(
        kind,
        calls,
        {"text": "Noon."},
    )
    ids = [call["tool_call_id"] for call in parts(messages, "tool-call")]
    assert [part["tool_call_id"] for part in parts(messages, "tool-result")] == ids
    assert len(set(ids)) == 3
    await talk.is_sound("", "Noon.")


async def whole_turn_seen(talk: Talk, kind: str, more: Body) -> None:
    """A turn with thoughts and a tool, whose reader was there from the first word."""
    name = f"seen-{kind}-{uuid4()}"
    hold = {"name": name, "after_pieces": 1}
    step = {"thinking": "Both.", **more, "text": "See.", "tools": [TIME], "hold": hold}
    reader = await talk.say(kind, step, {"text": "Done."})
    await reader.until(lambda r: r.preview == "See.")
    talk.model.release(name)
    await reader.rested(2)


@pytest.mark.parametrize("kind", SEARCHING)
async def test_a_search_of_the_vendor_beside_a_tool_of_ours(talk: Talk, kind: str) -> None:
    await whole_turn_seen(talk, kind, SEARCH)
    messages = await talk.caller.messages(talk.chat)
    hosted = [part for part in parts(messages, "tool-call", "assistant") if part.get("provider_executed")]
    results = parts(messages, "tool-result", "assistant")
    assert [part["tool_name"] for part in hosted] == ["web_search"]
    assert [part["tool_call_id"] for part in results] == [part["tool_call_id"] for part in hosted]
    assert len(parts(messages, "tool-result", "tool")) == 1, "the search is not run here"
    answer = [part["type"] for part in messages[1]["content"]]
    assert answer.index("tool-result") == answer.index("tool-call") + 1, "its result is right behind it"
    seen = [event["message_part"]["part"] for event in talk.reader.seen if event["type"] == "message_part"]
    for told in (parts(messages, "source"), [part for part in seen if part["type"] == "source"]):
        assert [part["url"] for part in told] == ["https://example.org/weather"]
    await talk.turn(kind, {"text": "Again."})
    await talk.is_sound("See.", "Done.", "Again.")


@pytest.mark.parametrize("kind", SEARCHING)
async def test_a_search_of_the_vendor_alone_ends_the_turn(talk: Talk, kind: str) -> None:
    messages = await talk.turn(kind, {"text": "So it is.", **SEARCH})
    assert [message["role"] for message in messages] == ["user", "assistant"]
    kinds = [part["type"] for part in messages[1]["content"] if part["type"] != "source"]
    assert kinds == ["tool-call", "tool-result", "text"]
    assert len(talk.sent()) == 1
    await talk.is_sound("So it is.")


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_is_shown_what_is_the_vendors(talk: Talk, kind: str) -> None:
    search = SEARCH if kind in SEARCHING else {}
    await whole_turn_seen(talk, kind, search)
    stored = await talk.caller.rows.ask(
        "SELECT content FROM messages WHERE chat_id = :chat AND role = 'assistant'", chat=talk.chat
    )
    # OpenAI tells nothing that would have to go back over this interface
    assert ("provider_metadata" in str(stored)) == (kind != "openai-chat")
    chat = (await talk.caller.http.get(f"{talk.caller.url}/{talk.chat}")).json()
    shown = json.dumps([chat, await talk.caller.messages(talk.chat), talk.reader.seen])
    hidden = ("provider_metadata", "provider_response_id", "signature", "encrypted")
    assert [word for word in hidden if word in shown] == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "openrouter"])
async def test_a_document_that_the_vendor_would_refuse_is_refused_before_it_is_sent(
    talk: Talk, kind: str
) -> None:
    locked = await talk.caller.upload("locked.pdf", PDF + b"trailer << /Encrypt 5 0 R >>", "application/pdf")
    reader = await talk.say(kind, {"text": "never said"}, file=locked)
    await reader.until(lambda reader: reader.status == "error")
    error = (await talk.caller.v2.get(f"/chats/{talk.chat}")).json()["last_error"]
    assert (error["kind"], error["retryable"]) == ("config", False)
    assert "protected by a password" in error["message"]
    assert talk.sent() == []
    (asked,) = [m for m in await talk.caller.messages(talk.chat) if m["role"] == "user"]
    edited = await talk.caller.edit(talk.chat, asked["id"], script_block({"text": "Without it."}))
    assert edited.status_code == 200, edited.text
    await reader.until(lambda reader: reader.status == "waiting" and reader.answers())
    assert [text_of(answer) for answer in reader.answers()] == ["Without it."]
    await talk.caller.rows.sound(talk.chat)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_picture(talk: Talk, kind: str) -> None:
    await talk.turn(kind, {"text": "A cat."}, file=await talk.caller.upload("cat.png", PNG, "image/png"))
    await talk.is_sound("A cat.")
    assert base64.b64encode(PNG).decode() in talk.sent()[-1].raw_body.decode()


@pytest.mark.parametrize("kind", KINDS)
async def test_an_interruption_in_the_middle(talk: Talk, kind: str) -> None:
    hold = {"name": f"stop-{kind}", "after_pieces": 3}
    reader = await talk.say(kind, {"thinking": "Hm.", "text": "a b c d e f", "tools": [TIME], "hold": hold})
    await reader.until(lambda r: r.preview == "a b c ")
    assert (await talk.caller.interrupt(talk.chat)).status_code == 200
    await reader.rested(talk.answers)
    await talk.turn(kind, *TOOL_TURN)
    await talk.is_sound("a b c ", "Let me look.", "Noon.")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tool_call_that_is_cut_short(talk: Talk, kind: str) -> None:
    name = f"cut-{kind}"
    hold = {"name": name, "after_pieces": 2, "of": "tool_input"}
    reader = await talk.say(kind, {"thinking": "Hm.", "text": "Well.", "tools": [TIME, UTC], "hold": hold})
    await talk.model.reached(name)
    await reader.until(lambda r: r.preview == "Well.")
    assert (await talk.caller.interrupt(talk.chat)).status_code == 200
    await reader.rested(talk.answers)
    await talk.turn(kind, {"text": "On."})
    await talk.is_sound("Well.", "On.")


@pytest.mark.parametrize("kind", KINDS)
async def test_failures_that_pass(talk: Talk, kind: str) -> None:
    faults = [
        {"kind": "status", "status": 429, "headers": {"retry-after-ms": "1"}},
        {"kind": "drop", "after_pieces": 2},
        {"kind": "cut", "after_pieces": 1},
    ]
    await talk.turn(kind, {"text": "one two three four", "fault": faults})
    await talk.is_sound("one two three four")
    assert [request.outcome for request in talk.sent()] == ["faulted", "faulted", "faulted", "completed"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_that_stays(talk: Talk, kind: str) -> None:
    reader = await talk.say(kind, {"text": "never", "fault": {"kind": "status", "status": 401}})
    await reader.until(lambda r: r.status == "error")
    talk.answers = 0
    await talk.turn(kind, {"text": "Better."})
    await talk.is_sound("Better.")


@pytest.mark.parametrize(("first", "second"), list(permutations(KINDS, 2)))
async def test_another_provider_goes_on(talk: Talk, first: str, second: str) -> None:
    search = SEARCH if first in SEARCHING else {}
    await talk.turn(
        first, {"thinking": "Hm.", **search, "text": "See.", "tools": [TIME, UTC]}, {"text": "One."}
    )
    await talk.turn(second, *TOOL_TURN)
    await talk.turn(first, {"thinking": "So.", "text": "Two."})
    await talk.is_sound("See.", "One.", "Let me look.", "Noon.", "Two.")
    assert [request.outcome for request in talk.sent()] == ["completed"] * 5


async def test_what_one_account_has_encrypted_and_stored_is_not_shown_to_another(talk: Talk) -> None:
    await talk.turn("openai-responses", {"thinking": "Hm.", **SEARCH, "text": "See.", "tools": [TIME]})
    await talk.turn("openai-responses", {"thinking": "Well.", "text": "One."})
    await talk.turn(SECOND_ACCOUNT, {"thinking": "So.", "text": "Two."})
    first, second = talk.sent()[1], talk.sent()[-1]
    assert {"reasoning", "web_search_call"} <= {item["type"] for item in first.body["input"]}
    assert "previous_response_id" not in second.body
    assert {item["type"] for item in second.body["input"]} <= {
        "message",
        "function_call",
        "function_call_output",
    }
    assert not any(item.get("id") for item in second.body["input"])


async def test_what_openai_remembers_is_not_told_again(talk: Talk) -> None:
    kind = "openai-responses"
    await talk.turn(kind, *TOOL_TURN)
    await talk.turn(kind, *TOOL_TURN)
    await talk.turn(kind, {"text": "Last."})
    await talk.is_sound("Let me look.", "Noon.", "Let me look.", "Noon.", "Last.")
    continued = ["previous_response_id" in request.body for request in talk.sent()]
    assert continued == [False, False, True, False, True], "results of tools are told with all before them"
    assert [len(request.body["input"]) for request in talk.sent()][2::2] == [1, 1]


async def test_what_openai_has_forgotten_is_told_whole(talk: Talk) -> None:
    kind = "openai-responses"
    await talk.turn(kind, {"text": "First."})
    gone = {
        "kind": "status",
        "status": 400,
        "code": "previous_response_not_found",
        "message": "Previous response with id 'resp_1' not found.",
    }
    talk.model.order_fault(gone)
    await talk.turn(kind, {"text": "Second."})
    await talk.turn(kind, {"text": "Third."})
    await talk.is_sound("First.", "Second.", "Third.")
    continued = ["previous_response_id" in request.body for request in talk.sent()]
    assert continued == [False, True, False, True]
    assert [len(request.body["input"]) for request in talk.sent()] == [1, 1, 3, 1]
