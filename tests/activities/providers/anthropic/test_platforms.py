"""Claude on other platforms: the SDK's own clients against a server that speaks their framing."""

import base64
import binascii
import json
import struct
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from activities.providers.anthropic.bedrock import BedrockProvider
from activities.providers.anthropic.endpoint import MessagesEndpoint
from activities.providers.anthropic.vertex import VertexProvider
from activities.providers.protocol import FinishReason, ModelCallError
from models.failures import FailureKind

from . import answers
from .conversation import Conversation
from .raw_server import RawServer, sse

AWS = "application/vnd.amazon.eventstream"


def aws_frame(payload: dict[str, Any], **headers: str) -> bytes:
    """One message of an AWS event stream: lengths, headers, payload, and checksums over them."""
    named = b"".join(
        struct.pack(">B", len(name)) + name + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in ((f":{key.replace('_', '-')}".encode(), value) for key, value in headers.items())
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", len(named) + len(body) + 16, len(named))
    framed = prelude + struct.pack(">I", binascii.crc32(prelude)) + named + body
    return framed + struct.pack(">I", binascii.crc32(framed))


def aws_events(events: Iterable[dict[str, Any]]) -> bytes:
    frames: list[bytes] = []
    for event in events:
        chunk = base64.b64encode(json.dumps(event).encode()).decode()
        frames.append(aws_frame({"bytes": chunk}, message_type="event", event_type="chunk"))
    return b"".join(frames)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


@pytest.fixture
async def bedrock(server: RawServer) -> AsyncIterator[Conversation]:
    provider = BedrockProvider(
        region="eu-central-1", access_key="AKIA", secret_key="secret", base_url=server.base_url
    )
    async for talk in _talk(server, provider, "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"):
        yield talk


@pytest.fixture
async def vertex(server: RawServer) -> AsyncIterator[Conversation]:
    provider = VertexProvider(
        region="europe-west1", project_id="p-1", access_token="token", base_url=f"{server.base_url}/v1"
    )
    async for talk in _talk(server, provider, "claude-sonnet-4-5@20250929"):
        yield talk


async def _talk(server: RawServer, provider: MessagesEndpoint, model: str) -> AsyncIterator[Conversation]:
    talk = Conversation(server, provider)
    talk.facts = type(talk.facts)(model, thinking_budget_tokens=2000)
    talk.say("What time is it?")
    yield talk
    await provider.aclose()


@pytest.mark.parametrize("size", [7, 100_000])
async def test_bedrock_streams_in_the_framing_of_aws(bedrock: Conversation, size: int) -> None:
    blocks = (answers.THINKING, answers.TEXT, answers.CALL)
    stream = aws_events(answers.stream(*blocks, stop_reason="tool_use"))
    bedrock.server.reply(*(stream[at : at + size] for at in range(0, len(stream), size)), content_type=AWS)
    builder, _ = await bedrock.step()

    assert builder.finish is not None
    assert builder.finish.reason is FinishReason.TOOL_CALLS
    (asked,) = bedrock.server.received
    assert asked.path == ("/model/eu.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke-with-response-stream")
    assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA/")
    assert "/eu-central-1/bedrock/" in asked.headers["authorization"]
    assert "secret" not in str(asked.headers)
    assert asked.body["anthropic_version"]
    assert asked.body["anthropic_beta"] == ["interleaved-thinking-2025-05-14"]
    assert asked.body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert not {"model", "stream"} & asked.body.keys()


async def test_what_claude_signed_elsewhere_is_good_on_bedrock_and_its_searches_are_told(
    bedrock: Conversation,
) -> None:
    bedrock.server.reply(
        aws_events(answers.stream(answers.THINKING, answers.SEARCH, answers.HITS)), content_type=AWS
    )
    builder, _ = await bedrock.step()
    bedrock.add("assistant", *builder.finished().parts)
    bedrock.say("Go on.")
    bedrock.server.reply(aws_events(answers.stream(answers.TEXT)), content_type=AWS)
    await bedrock.step()
    thinking, *told = bedrock.sent_blocks(1)
    assert thinking == answers.THINKING
    assert [block["type"] for block in told] == ["text", "text"]
    assert "https://a.example/han" in told[1]["text"]


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        ("throttlingException", FailureKind.RATE_LIMIT, True),
        ("modelStreamErrorException", FailureKind.GENERIC, True),
        ("internalServerException", FailureKind.GENERIC, True),
        ("serviceUnavailableException", FailureKind.TIMEOUT, True),
        ("validationException", FailureKind.GENERIC, False),
        ("modelTimeoutException", FailureKind.TIMEOUT, True),
    ],
)
async def test_a_failure_in_the_middle_of_a_bedrock_stream_is_sorted(
    bedrock: Conversation, code: str, kind: FailureKind, retryable: bool
) -> None:
    begun = aws_events(answers.stream(answers.TEXT)[:3])
    failed = aws_frame({"message": "It broke."}, message_type="exception", exception_type=code)
    bedrock.server.reply(begun, failed, content_type=AWS)
    with pytest.raises(ModelCallError) as raised:
        await bedrock.step()
    failure = raised.value.failure
    assert (failure.kind, failure.retryable, failure.provider) == (kind, retryable, "bedrock")


async def test_a_bedrock_stream_that_is_cut_or_damaged_is_asked_for_again(
    bedrock: Conversation,
) -> None:
    whole = aws_events(answers.stream(answers.TEXT))
    for broken in (whole[:-200], whole[:50] + b"\x00" + whole[51:]):
        bedrock.server.reply(broken, content_type=AWS)
        with pytest.raises(ModelCallError) as raised:
            await bedrock.step()
        assert raised.value.failure.retryable


async def test_bedrock_may_be_asked_with_a_token(server: RawServer) -> None:
    provider = BedrockProvider(region="eu-central-1", api_key="bearer-1", base_url=server.base_url)
    talk = Conversation(server, provider)
    talk.say("hello")
    server.reply(aws_events(answers.stream(answers.TEXT)), content_type=AWS)
    await talk.step()
    assert server.received[0].headers["authorization"] == "Bearer bearer-1"
    await provider.aclose()


async def test_vertex_streams_at_its_own_path(vertex: Conversation) -> None:
    vertex.server.reply(sse(answers.stream(answers.THINKING, answers.TEXT)))
    builder, _ = await vertex.step()

    assert [part["type"] for part in builder.finished().parts] == ["reasoning", "text"]
    (asked,) = vertex.server.received
    assert asked.path == (
        "/v1/projects/p-1/locations/europe-west1/publishers/anthropic/models/"
        "claude-sonnet-4-5@20250929:streamRawPredict"
    )
    assert asked.headers["authorization"] == "Bearer token"
    assert asked.headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"
    assert asked.body["anthropic_version"]
    assert asked.body["stream"] is True
    assert "model" not in asked.body


async def test_vertex_refuses_in_the_words_of_google(vertex: Conversation) -> None:
    body = {
        "error": {"code": 403, "message": "Permission denied on resource.", "status": "PERMISSION_DENIED"}
    }
    vertex.server.reply(json.dumps(body).encode(), content_type="application/json", status=403)
    with pytest.raises(ModelCallError) as raised:
        await vertex.step()
    failure = raised.value.failure
    assert (failure.kind, failure.provider, failure.status_code) == (FailureKind.AUTH, "vertex", 403)
