"""What is refused before it is sent, over both interfaces, and where nobody knows what would be."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from activities.providers.demo import DemoModel
from activities.providers.limits import FileLimits
from activities.providers.openai import PROFILES, OpenAIProvider, Server, openai_chat, openai_responses
from activities.providers.protocol import ModelCallError, PromptMessage
from models.failures import FailureKind

from .conftest import KEY, Make, answer, ask, typed

PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Page >>\nendobj\n"
LOCKED = PDF + b"trailer << /Encrypt 5 0 R >>"

Part = dict[str, Any]
Open = Callable[[Server], OpenAIProvider]


def file(data: bytes, media_type: str = "application/pdf") -> Part:
    return {
        "type": "file",
        "media_type": media_type,
        "name": "a",
        "data": base64.b64encode(data).decode(),
    }


def result_with(shown: Part) -> list[PromptMessage]:
    """A tool that was asked to look at something, and shows it."""
    call: Part = {"type": "tool-call", "tool_call_id": "c1", "tool_name": "current_time", "args": {}}
    result: Part = {
        "type": "tool-result",
        "tool_call_id": "c1",
        "tool_name": "current_time",
        "is_media": True,
        "result": {"media_type": shown["media_type"], "data": shown["data"], "text": "look"},
    }
    return [typed("look"), PromptMessage("assistant", [call]), PromptMessage("tool", [result])]


async def refused(provider: OpenAIProvider, *messages: PromptMessage) -> str:
    with pytest.raises(ModelCallError) as raised:
        await answer(provider, ask(*messages))
    failure = raised.value.failure
    assert (failure.kind, failure.retryable, failure.context_overflow) == (FailureKind.CONFIG, False, False)
    return failure.message


@pytest.mark.parametrize(
    ("data", "words"), [(LOCKED, "password"), (b"PK\x03\x04", "called a PDF and is none")]
)
async def test_a_document_that_cannot_be_read_is_not_sent(
    provider: OpenAIProvider, model: DemoModel, data: bytes, words: str
) -> None:
    assert words in await refused(provider, PromptMessage("user", [file(data)]))
    assert words in await refused(provider, *result_with(file(data)))
    assert model.requests == []


async def test_a_document_that_can_be_read_is_sent(provider: OpenAIProvider, model: DemoModel) -> None:
    await answer(provider, ask(PromptMessage("user", [file(PDF)])))
    assert base64.b64encode(PDF) in model.requests[-1].raw_body


@pytest.mark.parametrize("open_provider", [openai_responses, openai_chat])
async def test_files_are_weighed_and_counted_together(open_provider: Open, model: DemoModel) -> None:
    small = replace(PROFILES["openai"], files=FileLimits(pictures=1, all_bytes=100))
    provider = open_provider(Server("openai", small, KEY, model.openai_url))
    message = PromptMessage("user", [file(PDF), file(PDF), file(PDF)])
    assert "with its files it has" in await refused(provider, message)
    picture = file(b"GIF89a\x01\x00\x01\x00", "image/gif")
    assert "2 pictures" in await refused(provider, PromptMessage("user", [picture]), *result_with(picture))
    await answer(provider, ask(PromptMessage("user", [file(PDF), picture])))
    await provider.aclose()
    assert len(model.requests) == 1


async def test_a_server_whose_limits_nobody_knows_is_left_to_say_no_itself(
    make: Make, model: DemoModel
) -> None:
    await answer(make("openrouter"), ask(PromptMessage("user", [file(LOCKED)])))
    assert base64.b64encode(LOCKED) in model.requests[-1].raw_body


def test_the_vendor_and_its_servers_at_azure_have_limits() -> None:
    assert PROFILES["openai"].files == PROFILES["azure"].files == FileLimits(500, all_bytes=50_000_000)
