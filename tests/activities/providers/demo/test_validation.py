"""What Anthropic refuses, the demo model refuses: each rule with a request that breaks only it."""

from typing import Any

import httpx2
import pytest
from anthropic import AsyncAnthropic, AuthenticationError, BadRequestError, RequestTooLargeError

from activities.providers.demo import DemoModel, script_block
from activities.providers.demo.validation import read_request

USER = {"role": "user", "content": "hello"}


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "demo", "max_tokens": 2000, "messages": list(messages) or [USER], **fields}


def call(*ids: str) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": id_, "name": "t", "input": {}} for id_ in ids],
    }


def results(*ids: str, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id_, **fields} for id_ in ids]}


def vendor(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
FOUND: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
TEXT = {"type": "text", "text": "and"}
CACHED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
FORGED = {"type": "thinking", "thinking": "hm", "signature": "bm90IG91cnM="}

REFUSED: dict[str, tuple[Any, str]] = {
    "not an object": ([], "body"),
    "no model": ({"max_tokens": 1, "messages": [USER]}, "model: Field required"),
    "no max_tokens": ({"model": "demo", "messages": [USER]}, "max_tokens: Field required"),
    "no messages": ({"model": "demo", "max_tokens": 1}, "messages: Field required"),
    "empty messages": ({"model": "demo", "max_tokens": 1, "messages": []}, "at least one message"),
    "no tokens": (body(max_tokens=0), "max_tokens"),
    "assistant first": (body({"role": "assistant", "content": "hi"}, USER), "first message must use"),
    "assistant last": (body(USER, {"role": "assistant", "content": "hi"}), "must end with a user message"),
    "system role": (body({"role": "system", "content": "hi"}), "messages.0.role"),
    "no content": (
        body({"role": "user", "content": []}),
        "messages.0: all messages must have non-empty content",
    ),
    "empty text": (
        body({"role": "user", "content": [{"type": "text", "text": ""}]}),
        "messages.0.content.0: text content blocks must be non-empty",
    ),
    "blank text": (body({"role": "user", "content": " \n"}), "must contain non-whitespace text"),
    "empty system": (body(system=[{"type": "text", "text": ""}]), "system.0: text content blocks"),
    "call without result": (body(USER, call("a", "b"), results("a")), "immediately after: b."),
    "text before results": (
        body(USER, call("a"), {"role": "user", "content": [TEXT, *results("a")["content"]]}),
        "immediately after: a.",
    ),
    "result without call": (
        body(USER, {"role": "assistant", "content": "x"}, results("a")),
        "unexpected `tool_use_id`",
    ),
    "result twice": (body(USER, call("a"), results("a", "a")), "must have a single result"),
    "result later": (body(USER, call("a"), USER, results("a")), "immediately after: a."),
    "call id twice": (body(USER, call("a", "a"), results("a")), "ids must be unique: a"),
    "call id again": (body(USER, call("a"), results("a"), call("a"), results("a")), "ids must be unique: a"),
    "call id characters": (body(USER, call("a b"), results("a b")), "tool_use.id: String should match"),
    "call by the user": (body({"role": "user", "content": call("a")["content"]}), "only be in `assistant`"),
    "input not an object": (
        body(
            USER, {"role": "assistant", "content": [{**call("a")["content"][0], "input": "x"}]}, results("a")
        ),
        "tool_use.input",
    ),
    "empty failure": (
        body(USER, call("a"), results("a", is_error=True)),
        "content cannot be empty if `is_error`",
    ),
    "empty text in a result": (
        body(USER, call("a"), results("a", content=[{"type": "text", "text": ""}])),
        "messages.2.content.0.tool_result.content.0: text content blocks must be non-empty",
    ),
    "result that is a number": (body(USER, call("a"), results("a", content=7)), "body"),
    "forged thinking": (
        body(USER, {"role": "assistant", "content": [FORGED]}, USER),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "unsigned thinking": (
        body(USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]}, USER),
        "thinking.signature: Field required",
    ),
    "tool name": (body(tools=[{"name": "my tool", "input_schema": {}}]), "tools.0.name"),
    "tool twice": (body(tools=[{"name": "t"}, {"name": "t"}]), "Tool names must be unique"),
    "small budget": (body(thinking={"type": "enabled", "budget_tokens": 1}), "budget_tokens"),
    "no budget": (body(thinking={"type": "enabled"}), "budget_tokens: Field required"),
    "large budget": (body(thinking={"type": "enabled", "budget_tokens": 2000}), "must be greater than"),
    "five cache points": (
        body({"role": "user", "content": [CACHED] * 4}, system=[CACHED]),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "a search without what it found": (
        body(USER, vendor(SEARCH), USER),
        "messages.1: `web_search` tool use with id `s` was found without a corresponding",
    ),
    "what no search has found": (body(USER, vendor(FOUND), USER), "unexpected `tool_use_id`"),
    "a search told twice": (
        body(USER, vendor(SEARCH, FOUND), USER, vendor(SEARCH, FOUND), USER),
        "messages.3: `server_tool_use` ids must be unique",
    ),
    "a search by a user": (
        body({"role": "user", "content": [SEARCH]}),
        "`server_tool_use` blocks can only be in `assistant` messages",
    ),
    "a search for nothing": (body(USER, vendor(SEARCH | {"input": "x"})), "Input should be an object"),
    "an answer that did not pause": (body(USER, vendor(SEARCH, FOUND)), "must end with a user message"),
    "script that is not JSON": (
        body({"role": "user", "content": "```demo\n{oops}\n```"}),
        "demo script: not JSON",
    ),
    "script with more": (
        body({"role": "user", "content": '```demo {"steps":[{}]} x ```'}),
        "only one JSON object",
    ),
    "script with a typo": (
        body({"role": "user", "content": '```demo {"steps":[{"txt":"x"}]} ```'}),
        "demo script: steps.0.txt: Extra inputs are not permitted",
    ),
    "script without steps": (
        body({"role": "user", "content": '```demo {"steps":[]} ```'}),
        "demo script: steps",
    ),
    "script beyond its limits": (
        body({"role": "user", "content": '```demo {"steps":[{"pieces":1000000}]} ```'}),
        "demo script: steps.0.pieces",
    ),
}


@pytest.mark.parametrize(("request_body", "said"), REFUSED.values(), ids=REFUSED)
async def test_a_broken_rule_is_an_invalid_request(
    model: DemoModel, http: httpx2.AsyncClient, request_body: Any, said: str
) -> None:
    response = await http.post("/v1/messages", json=request_body)

    answer = response.json()
    assert response.status_code == 400
    assert answer["type"] == "error"
    assert answer["error"]["type"] == "invalid_request_error"
    assert said in answer["error"]["message"]
    assert answer["request_id"] == response.headers["request-id"]
    assert [request.outcome for request in model.requests] == ["rejected"]


ACCEPTED: dict[str, dict[str, Any]] = {
    "results and then text": body(
        USER, call("a"), {"role": "user", "content": [*results("a")["content"], TEXT]}
    ),
    "an empty result": body(USER, call("a"), results("a")),
    "a result of blocks": body(
        USER, call("a"), results("a", content=[TEXT, {"type": "image", "source": {}}])
    ),
    "users in a row": body(USER, USER),
    "unknown blocks": body({"role": "user", "content": [{"type": "hologram", "content": {"a": 1}}, TEXT]}),
    "unknown fields": body(metadata={"user_id": "u"}, betas=["x"], temperature=0.3),
    "a server tool": body(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
    "tools of an MCP server": body(tools=[{"type": "mcp_toolset", "mcp_server_name": "a"}] * 2),
    "a search and what it found": body(USER, vendor(SEARCH, FOUND, TEXT), USER),
    "an answer that goes on": body(USER, vendor(TEXT, SEARCH)),
    "a search that waits for our tool": body(USER, vendor(SEARCH, *call("a")["content"]), results("a")),
    "adaptive thinking": body(thinking={"type": "adaptive"}),
    "four cache points": body({"role": "user", "content": [CACHED] * 3}, system=[CACHED]),
}


@pytest.mark.parametrize("request_body", ACCEPTED.values(), ids=ACCEPTED)
def test_what_anthropic_takes_is_taken(request_body: dict[str, Any]) -> None:
    assert read_request(request_body).model == "demo"


async def test_signed_thinking_is_taken_back(client: AsyncAnthropic) -> None:
    question = script_block({"thinking": "deep thought", "text": "42"})
    first = await client.messages.create(
        model="demo", max_tokens=9, messages=[{"role": "user", "content": question}]
    )
    second = await client.messages.create(
        model="demo",
        max_tokens=9,
        messages=[
            {"role": "user", "content": question},
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": script_block({"text": "still 42"})},
        ],
    )
    assert second.content[0].type == "text"


async def test_a_request_without_a_key_is_not_authenticated(model: DemoModel) -> None:
    async with httpx2.AsyncClient(base_url=model.base_url, trust_env=False) as http:
        response = await http.post("/v1/messages", json=body())
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"


async def test_a_bearer_token_is_a_key_too(model: DemoModel) -> None:
    async with AsyncAnthropic(
        base_url=model.base_url, auth_token="secret", api_key=None, max_retries=0
    ) as client:
        answer = await client.messages.create(
            model="demo", max_tokens=9, messages=[{"role": "user", "content": script_block({"text": "x"})}]
        )
    assert answer.content
    assert "authorization" not in model.requests[-1].headers


async def test_the_sdk_knows_the_refusals_by_their_classes(model: DemoModel, client: AsyncAnthropic) -> None:
    with pytest.raises(BadRequestError, match="must end with a user message"):
        await client.messages.create(
            model="demo",
            max_tokens=1,
            messages=[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}],
        )
    model.order_fault({"kind": "status", "status": 401})
    with pytest.raises(AuthenticationError):
        await client.messages.create(model="demo", max_tokens=1, messages=[{"role": "user", "content": "x"}])


async def test_a_body_that_is_not_json_is_an_invalid_request(http: httpx2.AsyncClient) -> None:
    for content in (b"{", b"\xff", b"[" * 100_000):
        response = await http.post("/v1/messages", content=content)
        assert response.status_code == 400
        assert response.json()["error"]["message"] == "The body is not valid JSON."


async def test_the_version_of_the_protocol_is_required(http: httpx2.AsyncClient) -> None:
    del http.headers["anthropic-version"]
    response = await http.post("/v1/messages", json=body())
    assert "anthropic-version" in response.json()["error"]["message"]


async def test_a_body_beyond_the_limit_is_too_large(model: DemoModel, client: AsyncAnthropic) -> None:
    huge = "x" * (33 * 1024 * 1024)
    with pytest.raises(RequestTooLargeError):
        await client.messages.create(model="demo", max_tokens=1, messages=[{"role": "user", "content": huge}])
    model.clear()
