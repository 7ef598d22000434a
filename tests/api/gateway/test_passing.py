"""Bytes there and back: untouched, while they come, and for as long as somebody wants them."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from api.gateway.bodies import MAX_BODY_BYTES
from tests.activities.providers.vendor import BREAK_OFF
from tests.api.gateway.conftest import KEY, Gateway
from tests.api.served import Body

QUESTION: Body = {"model": "m", "max_tokens": 5, "stream": True, "messages": []}
MESSAGES = "v1/messages"

ODD = b': ping\r\n\r\nevent: message_start\rdata: {"a":  1}\r\r\xff\xfe not text, \x00 and no end'


async def test_an_answer_arrives_byte_for_byte(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    gateway.vendor.reply(ODD[:20], ODD[20:], content_type="text/event-stream; charset=utf-8")
    async with gateway.http() as http:
        answer = await http.post(f"{name}/{MESSAGES}", json=QUESTION)
    assert (answer.status_code, answer.content) == (200, ODD)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_a_question_arrives_byte_for_byte_with_the_key_in_place_of_the_token(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    body = b' {"model" : "m", "unknown": [1.10, "\\u00e9"]}\n'
    for sent in ({"x-api-key": ""}, {"authorization": "Bearer "}, {"coder-session-token": ""}):
        ((header, prefix),) = sent.items()
        headers = {header: prefix + gateway.door.owner.token, "anthropic-version": "2023-06-01"}
        gateway.vendor.reply(b"{}", content_type="application/json")
        async with httpx2.AsyncClient(base_url=gateway.url, headers=headers, timeout=20) as http:
            answer = await http.post(f"{name}/{MESSAGES}?beta=true", content=body)
        assert answer.status_code == 200, answer.text
        asked = gateway.vendor.asked[-1]
        assert (asked.method, asked.target, asked.body) == ("POST", "/v1/messages?beta=true", body)
        assert asked.header("x-api-key") == KEY
        assert asked.header("anthropic-version") == "2023-06-01"
        assert asked.header("authorization") is None
        assert gateway.door.owner.token not in str(asked)


@pytest.mark.parametrize(
    ("provider", "more", "path", "target", "headers"),
    [
        ("openai", {}, "v1/responses", "/v1/responses", {"authorization": f"Bearer {KEY}"}),
        (
            "openai",
            {"settings": {"organization": "org-1"}},
            "v1/chat/completions",
            "/v1/chat/completions",
            {"openai-organization": "org-1"},
        ),
        (
            "azure",
            {"settings": {"api_version": "preview"}},
            "v1/responses",
            "/openai/v1/responses?api-version=preview",
            {"api-key": KEY},
        ),
        ("openrouter", {}, "v1/chat/completions", "/chat/completions", {"authorization": f"Bearer {KEY}"}),
        (
            "openai-compat",
            {"api_key": None},
            "v1/chat/completions",
            "/chat/completions",
            {"authorization": None},
        ),
    ],
)
async def test_each_type_of_provider_is_asked_where_it_is_and_as_it_wants(
    gateway: Gateway, provider: str, more: Any, path: str, target: str, headers: dict[str, str | None]
):
    base = gateway.vendor.url + ("/v1" if provider == "openai" else "")
    name = (await gateway.add(provider, base, **more))["name"]
    gateway.vendor.reply(b"{}", content_type="application/json")
    async with gateway.http() as http:
        assert (await http.post(f"{name}/{path}", json={"model": "m"})).status_code == 200
    asked = gateway.vendor.asked[-1]
    assert asked.target == target
    for header, value in headers.items():
        assert asked.header(header) == value
    assert asked.header("x-api-key") is None


async def test_models_are_listed_in_the_vendors_words(gateway: Gateway):
    name = (await gateway.add("openai", gateway.vendor.url + "/v1"))["name"]
    async with gateway.http() as http:
        for path in ("models?limit=2", "models/gpt-5.1", "models/ft:gpt-4o:org::id", "models/vendor/model"):
            gateway.vendor.reply(b'{"data": []}', content_type="application/json")
            answer = await http.get(f"{name}/v1/{path}")
            assert (answer.status_code, answer.json()) == (200, {"data": []})
            assert gateway.vendor.asked[-1].target == f"/v1/{path}"
    assert await gateway.calls() == []


async def test_tokens_are_counted_by_the_vendor_and_nothing_is_recorded(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    gateway.vendor.reply(b'{"input_tokens": 3}', content_type="application/json")
    async with gateway.http() as http:
        answer = await http.post(f"{name}/v1/messages/count_tokens", json=QUESTION)
    assert answer.json() == {"input_tokens": 3}
    assert await gateway.calls() == []


async def test_pieces_are_passed_on_while_the_answer_is_still_being_written(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    go_on = asyncio.Event()
    gateway.vendor.reply(b"data: first\n\n", go_on, b"data: second\n\n")
    async with gateway.http() as http, http.stream("POST", f"{name}/{MESSAGES}", json=QUESTION) as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"data: first\n\n"
        go_on.set()
        assert b"".join([piece async for piece in pieces]) == b"data: second\n\n"


@pytest.mark.parametrize("begun", [True, False])
async def test_a_caller_who_hangs_up_ends_the_call(gateway: Gateway, begun: bool):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    never = asyncio.Event()
    gateway.vendor.reply(*([b"data: {}\n\n"] if begun else []), never)
    async with gateway.http() as http:
        asking = asyncio.create_task(_first_piece(http, f"{name}/{MESSAGES}"))
        await gateway.vendor.begun.wait()
        if begun:
            await asking
        else:
            asking.cancel()
        await asyncio.wait_for(gateway.vendor.hung_up.wait(), 10)
    (call,) = await gateway.ended_calls()
    assert (call["outcome"], call["status_code"]) == ("unfinished", 200 if begun else None)


async def _first_piece(http: httpx2.AsyncClient, path: str) -> bytes:
    async with http.stream("POST", path, json=QUESTION) as answer:
        return await anext(answer.aiter_raw())


async def test_a_token_that_is_taken_back_ends_its_calls(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    owner = gateway.door.owner
    made = (await owner.http.post("/users/me/keys/tokens", json={"token_name": "short"})).json()
    gateway.vendor.reply(asyncio.Event())
    async with gateway.http(made["key"]) as http:
        asking = asyncio.create_task(http.post(f"{name}/{MESSAGES}", json=QUESTION))
        await gateway.vendor.begun.wait()
        assert (await owner.http.delete(f"/users/me/keys/{made['id']}")).status_code == 204
        answer = await asyncio.wait_for(asking, 10)
        assert answer.status_code == 401
    await asyncio.wait_for(gateway.vendor.hung_up.wait(), 10)


async def test_who_reads_slowly_makes_the_vendor_wait(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    block = b"data: " + b"x" * 65_536 + b"\n\n"
    blocks = 1000
    all_sent = asyncio.Event()
    gateway.vendor.reply(*[block] * blocks, all_sent)
    async with gateway.http() as http, http.stream("POST", f"{name}/{MESSAGES}", json=QUESTION) as answer:
        pieces = answer.aiter_raw()
        await anext(pieces)
        while (before := gateway.vendor.sent_bytes) < 1 or before != await _after_a_moment(gateway):
            pass
        assert gateway.vendor.sent_bytes < blocks * len(block) / 2
        all_sent.set()
        async for _ in pieces:
            pass
    assert gateway.vendor.sent_bytes == blocks * len(block)


async def _after_a_moment(gateway: Gateway) -> int:
    await asyncio.sleep(0.3)  # that nothing happens has no event
    return gateway.vendor.sent_bytes


async def test_an_answer_that_breaks_off_does_not_look_whole(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    start = {
        "type": "message_start",
        "message": {"id": "msg_1", "usage": {"input_tokens": 7, "output_tokens": 1}},
    }
    gateway.vendor.reply(f"event: message_start\ndata: {json.dumps(start)}\n\n".encode(), BREAK_OFF)
    async with gateway.http() as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.post(f"{name}/{MESSAGES}", json=QUESTION)
    (call,) = await gateway.ended_calls()
    assert (call["outcome"], call["status_code"], call["response_id"]) == ("unfinished", 200, "msg_1")
    assert call["token_usage"]["input_tokens"] == 7


async def test_a_stream_without_its_last_event_is_passed_on_and_recorded_as_unfinished(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    gateway.vendor.reply(b"event: ping\ndata: {}\n\n")
    gateway.vendor.reply(b"event: error\ndata: {}\n\n")
    async with gateway.http() as http:
        for _ in range(2):
            assert (await http.post(f"{name}/{MESSAGES}", json=QUESTION)).status_code == 200
    assert [call["outcome"] for call in await gateway.ended_calls()] == ["failed", "unfinished"]


async def test_an_answer_that_cannot_be_read_is_passed_on_all_the_same(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    gateway.vendor.reply(b"\x1f\x8b not really", content_encoding="gzip")
    gateway.vendor.reply(b"no json", content_type="application/json")
    async with gateway.http() as http:
        for expected in (b"\x1f\x8b not really", b"no json"):
            async with http.stream("POST", f"{name}/{MESSAGES}", json=QUESTION) as answer:
                assert b"".join([piece async for piece in answer.aiter_raw()]) == expected
    for call in await gateway.ended_calls():
        assert (call["outcome"], call["token_usage"]) == ("completed", None)


async def test_an_error_is_passed_on_without_the_key(gateway: Gateway):
    name = (await gateway.add("openai", gateway.vendor.url))["name"]
    told = json.dumps({"error": {"message": f"Bad request with {KEY}", "type": "invalid_request_error"}})
    gateway.vendor.reply(
        told.encode(), status=418, content_type="application/json", retry_after="9", x_request_id="req_1"
    )
    async with gateway.http() as http:
        answer = await http.post(f"{name}/v1/responses", json={"model": "m"})
    assert answer.status_code == 418
    assert answer.json()["error"]["message"] == "Bad request with [key]"
    assert (answer.headers["retry-after"], answer.headers["x-upstream-request-id"]) == ("9", "req_1")
    (call,) = await gateway.ended_calls()
    assert (call["outcome"], call["status_code"]) == ("failed", 418)


@pytest.mark.parametrize(
    ("status", "body", "headers", "answered"),
    [
        (401, b'{"error": {"message": "Incorrect API key provided: sk-the-k****ment"}}', {}, 401),
        (500, b"x" * 300_000, {}, 500),
        (500, b"\x1f\x8b", {"content_encoding": "gzip"}, 500),
        (504, b"<html>elsewhere</html>", {"content_type": "text/html"}, 504),
        (302, b"{}", {"location": "https://elsewhere.example.com"}, 502),
    ],
)
async def test_an_error_that_cannot_be_passed_on_is_told_in_other_words(
    gateway: Gateway, status: int, body: bytes, headers: dict[str, str], answered: int
):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    gateway.vendor.reply(body, status=status, **{"content_type": "application/json", **headers})
    async with gateway.http() as http:
        answer = await http.post(f"{name}/{MESSAGES}", json=QUESTION)
    assert answer.status_code == answered
    assert answer.json()["type"] == "error"
    assert "sk-the" not in answer.text
    assert "elsewhere" not in answer.text + str(answer.headers)
    assert len(gateway.vendor.asked) == 1


async def test_a_vendor_that_cannot_be_reached_is_told_in_its_own_shape(gateway: Gateway):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    name = (await gateway.add("anthropic", f"http://127.0.0.1:{port}"))["name"]
    async with gateway.http() as http:
        answer = await http.post(f"{name}/{MESSAGES}", json=QUESTION)
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "api_error")
    assert str(port) not in answer.text
    (call,) = await gateway.ended_calls()
    assert (call["outcome"], call["status_code"]) == ("failed", 502)


async def test_a_cookie_of_the_vendor_is_given_to_nobody(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    async with gateway.http() as http:
        for _ in range(2):
            gateway.vendor.reply(b"{}", content_type="application/json", set_cookie="who=first; Path=/")
            answer = await http.post(f"{name}/{MESSAGES}", json=QUESTION)
            assert "set-cookie" not in answer.headers
    assert gateway.vendor.asked[-1].header("cookie") is None


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"{", {}, 400, "not JSON"),
        (b"[]", {}, 400, "not a JSON object"),
        (b"[" * 100_000, {}, 400, "not JSON"),
        (b"{}", {}, 400, "model"),
        (b'{"model": ""}', {}, 400, "model"),
        (b'{"model": "a\\u0000"}', {}, 400, "model"),
        (b'{"model": "' + b"x" * 201 + b'"}', {}, 400, "model"),
        (b'{"model": "m", "background": true}', {}, 400, "background"),
        (b"{}", {"content-encoding": "gzip"}, 400, "compressed"),
        (b"{}", {"X-Perdure-Organization": "mine"}, 400, "X-Perdure-Organization"),
        (b"{}", {"X-Perdure-Organization": "0f8fad5b-d9cb-469f-a165-70867728950e"}, 404, "organization"),
        (b" " * (MAX_BODY_BYTES + 1), {}, 413, "too large"),
    ],
    ids=lambda value: value[:30] if isinstance(value, bytes) else None,
)
async def test_a_request_that_breaks_a_rule_goes_nowhere(
    gateway: Gateway, body: bytes, headers: dict[str, str], status: int, says: str
):
    name = (await gateway.add("openai", gateway.vendor.url))["name"]
    async with gateway.http(**headers) as http:
        answer = await http.post(f"{name}/v1/responses", content=body)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]
    assert (gateway.vendor.asked, await gateway.calls()) == ([], [])
    assert gateway.door.served.app.state.services.bodies.bytes == 0


async def test_a_body_whose_length_nobody_told_is_bounded_as_well(gateway: Gateway):
    name = (await gateway.add("openai", gateway.vendor.url))["name"]

    async def too_long() -> AsyncGenerator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1_000_000 + 2):
            yield b" " * 1_000_000

    async with gateway.http() as http:
        answer = await http.post(f"{name}/v1/responses", content=too_long())
    assert answer.status_code == 413
    assert gateway.door.served.app.state.services.bodies.bytes == 0


async def test_the_room_of_a_body_is_free_while_the_model_thinks(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    end = asyncio.Event()
    gateway.vendor.reply(b"data: {}\n\n", end)
    body = json.dumps({**QUESTION, "messages": "x" * 2_000_000}).encode()
    rooms = gateway.door.served.app.state.services.bodies
    async with gateway.http() as http, http.stream("POST", f"{name}/{MESSAGES}", content=body) as answer:
        await anext(answer.aiter_raw())
        assert rooms.bytes == 0
        end.set()
    assert gateway.vendor.asked[0].body == body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "v1/messages"),
        ("DELETE", "v1/responses/resp_1"),
        ("GET", "v1/responses/resp_1"),
        ("POST", "v1/messages/batches"),
        ("GET", "v1/files"),
        ("POST", "v1/embeddings"),
        ("GET", "v1/models/..%2Ffiles"),
        ("GET", "v1/models/a/../../files"),
        ("GET", "v1/models/a%3Fb"),
        ("POST", "messages"),
    ],
)
async def test_what_is_not_listed_is_not_offered(gateway: Gateway, method: str, path: str):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    async with gateway.http(**{"anthropic-version": "2023-06-01"}) as http:
        answer = await http.request(method, f"{name}/{path}", json={} if method == "POST" else None)
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "not_found_error"
    assert gateway.vendor.asked == []
