"""Every kind of provider through the same turns: whole chats, a real worker, the wire of each vendor.

Behind all of them stands one scripted server, which refuses what the vendor would refuse; and whatever was
sent is held against the rules of its protocol.
"""

import base64
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from activities.providers.demo import script_block
from activities.providers.demo.recorder import RecordedRequest
from cli.stack import Stack
from models.model_options import CallConfig
from models.providers import ProviderType
from models.store.catalog import NewModel, create_model
from models.store.configuration import StoredSecret, provider_secret
from models.store.providers import NewProvider, create_provider
from runtime.configuration.changes import Change, ChangeKind, tell
from runtime.redis import open_redis
from runtime.secrets import MasterKeys
from tests.activities.providers.request_rules.checked import CheckedModel
from tests.api.files.bytes_of import PNG
from tests.durable.caller import Body, Caller, Reader
from tests.durable.rows import Rows

KINDS = ("anthropic", "openai-responses", "openai-chat", "openrouter")
SEARCHING = ("anthropic", "openai-responses")

TIME: Body = {"name": "current_time", "input": {"timezone": "Asia/Tokyo"}}
UTC: Body = {"name": "current_time", "input": {}}
SEARCH: Body = {
    "server_tools": [{"kind": "web_search", "input": {"query": "weather"}}],
    "sources": [{"url": "https://example.org/weather", "title": "Weather"}],
}
TOOL_TURN = ({"thinking": "A clock would help.", "text": "Let me look.", "tools": [TIME]}, {"text": "Noon."})

_SEARCHES = {"web_search_enabled": True}
_CONFIGS: dict[str, tuple[ProviderType, str, dict[str, Any]]] = {
    "anthropic": (ProviderType.ANTHROPIC, "", {"provider_options": {"anthropic": _SEARCHES}}),
    "openai-responses": (ProviderType.OPENAI, "/v1", {"provider_options": {"openai": _SEARCHES}}),
    "openai-chat": (ProviderType.OPENAI, "/v1", {"openai_config": {"use_responses_api": False}}),
    "openrouter": (ProviderType.OPENROUTER, "/openrouter/v1", {}),
}


@dataclass
class Talk:
    """A chat that may change its model from message to message."""

    caller: Caller
    model: CheckedModel
    models: dict[str, str]
    chat: str = ""
    said: list[str] = field(default_factory=list[str])
    answers: int = 0

    async def say(self, kind: str, *steps: Body, file: str | None = None) -> Reader:
        """Send a message that scripts its answers, to a model of a kind."""
        text = f"{script_block(*steps)} {uuid4()}"
        self.said.append(text)
        content = [{"type": "text", "text": text}]
        if file is not None:
            content.append({"type": "file", "file_id": file})
        fields: dict[str, Any] = {"model_config_id": self.models[kind], "content": content}
        if not self.chat:
            self.chat = await self.caller.create(text, **fields)
            self.reader = self.caller.read(self.chat)
        else:
            await self.caller.send(self.chat, text, **fields)
        self.answers += len(steps)
        return self.reader

    async def turn(self, kind: str, *steps: Body, file: str | None = None) -> list[Body]:
        """A whole turn; all messages of the chat behind it."""
        reader = await self.say(kind, *steps, file=file)
        await reader.rested(self.answers)
        return await self.caller.messages(self.chat)

    async def is_sound(self, *answers: str) -> None:
        """The chat rests, its reader has exactly the rows, and all that was sent keeps the rules."""
        await self.caller.agree(self.reader, self.chat, self.said, list(answers))
        self.model.check()
        assert "rejected" not in [request.outcome for request in self.sent()]

    def sent(self) -> list[RecordedRequest]:
        """The requests for this chat, oldest first."""
        return [r for r in self.model.requests if r.headers.get("x-coder-chat-id") == self.chat]


@pytest.fixture(scope="module")
async def models(perdure: Stack, model: CheckedModel, rows: Rows) -> dict[str, str]:
    """One model of each kind, by ids of their configurations; the providers' keys are sealed."""
    me = await rows.first_user()
    keys = MasterKeys(SecretStr(perdure.environment["PERDURE_MASTER_KEYS"]))
    offered: dict[str, str] = {}
    for kind, (provider_type, path, config) in _CONFIGS.items():
        provider = uuid4()
        sealed = keys.seal(SecretStr("sk-demo"), provider_secret(provider))
        key = StoredSecret(sealed.data, sealed.master_key_id, provider_secret(provider))
        new = NewProvider(
            me.organization_id, provider_type, kind, kind.capitalize(), base_url=model.base_url + path
        )
        await create_provider(rows.engine, new, provider, key)
        record = await create_model(
            rows.engine,
            me.organization_id,
            NewModel(provider, f"demo-{kind}", kind, 200_000, config=CallConfig.model_validate(config)),
            None,
        )
        offered[kind] = str(record.id)
    redis = open_redis(perdure.redis_url)
    await tell(redis, Change(kind=ChangeKind.PROVIDERS))
    await redis.aclose()
    return offered


@pytest.fixture
def talk(caller: Caller, model: CheckedModel, models: dict[str, str]) -> Talk:
    return Talk(caller, model, models)


def parts(messages: list[Body], kind: str, role: str | None = None) -> list[Body]:
    told = (message for message in messages if role in (None, message["role"]))
    return [part for message in told for part in message.get("content", []) if part["type"] == kind]


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


@pytest.mark.parametrize("kind", SEARCHING)
async def test_a_search_of_the_vendor_beside_a_tool_of_ours(talk: Talk, kind: str) -> None:
    messages = await talk.turn(
        kind, {"thinking": "Both.", **SEARCH, "text": "See.", "tools": [TIME]}, {"text": "Done."}
    )
    hosted = [part for part in parts(messages, "tool-call", "assistant") if part.get("provider_executed")]
    results = parts(messages, "tool-result", "assistant")
    assert [part["tool_name"] for part in hosted] == ["web_search"]
    assert [part["tool_call_id"] for part in results] == [part["tool_call_id"] for part in hosted]
    assert len(parts(messages, "tool-result", "tool")) == 1, "the search is not run here"
    if kind == "openai-responses":
        assert [part["url"] for part in parts(messages, "source")] == ["https://example.org/weather"]
    await talk.turn(kind, {"text": "Again."})
    await talk.is_sound("See.", "Done.", "Again.")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_picture(talk: Talk, kind: str) -> None:
    me = await talk.caller.rows.first_user()
    answer = await talk.caller.v2.post(
        "/chats/files",
        params={"organization": str(me.organization_id)},
        content=PNG,
        headers={"Content-Disposition": 'attachment; filename="cat.png"', "Content-Type": "image/png"},
    )
    assert answer.status_code == 201, answer.text
    await talk.turn(kind, {"text": "A cat."}, file=answer.json()["id"])
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
