"""The scripts in the guide do what the guide says."""

import asyncio
import re
from pathlib import Path

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message

from activities.providers.demo import DemoModel

GUIDE = Path(__file__).parents[4] / "docs" / "demo-model.md"
SCRIPTS = re.findall(r"^```demo\n.*?^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


async def ask(client: AsyncAnthropic, content: str) -> Message:
    async with client.messages.stream(
        model="demo", max_tokens=99, messages=[{"role": "user", "content": content}]
    ) as stream:
        return await stream.get_final_message()


async def test_every_script_of_the_guide_works(model: DemoModel, client: AsyncAnthropic) -> None:
    hello, tools, paced, faults, hold = SCRIPTS

    assert [block.type for block in (await ask(client, hello)).content] == ["text"]
    assert [block.type for block in (await ask(client, tools)).content] == ["thinking", "text", "tool_use"]
    await ask(client, paced)
    assert model.requests[-1].pieces_sent == 20

    with pytest.raises(anthropic.InternalServerError):
        await ask(client, faults)
    with pytest.raises(httpx2.ReadError):
        await ask(client, faults)
    assert (await ask(client, faults)).stop_reason == "end_turn"

    held = asyncio.create_task(ask(client, hold))
    await model.reached("kill-here")
    assert model.requests[-1].pieces_sent == 2
    model.release("kill-here")
    assert (await held).stop_reason == "end_turn"
