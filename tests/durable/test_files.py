"""A picture that somebody sends reaches the model, in this turn and the next."""

import base64
from typing import Any
from uuid import uuid4

from activities.providers.demo import DemoModel, script_block
from tests.durable.caller import Body, Caller, text_of

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def said(word: str) -> Body:
    return {"type": "text", "text": script_block({"text": word}) + f" say {word}"}


def pictures(body: Body) -> list[Any]:
    blocks = [block for message in body["messages"] for block in message["content"]]
    return [block["source"] for block in blocks if block["type"] == "image"]


async def test_a_picture_reaches_the_model_and_stays_with_the_chat(caller: Caller, model: DemoModel):
    word = f"w{uuid4().hex[:8]}"
    picture = await caller.upload("cat.png", PICTURE, "image/png")
    notes = await caller.upload("notes.md", f"# Notes\n{word}".encode(), "text/markdown")
    chat = await caller.create("", content=[said("seen"), {"type": "file", "file_id": picture}])
    reader = caller.read(chat)
    await reader.rested()
    await caller.http.post(
        f"{caller.url}/{chat}/messages", json={"content": [said("read"), {"type": "file", "file_id": notes}]}
    )
    await reader.rested(2)
    assert [text_of(answer) for answer in reader.answers()] == ["seen", "read"]

    first, second = [request.body for request in model.requests_of(chat)][-2:]
    sent = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PICTURE).decode()}
    assert pictures(first) == [sent]
    assert pictures(second) == [sent]
    assert any(
        word in block.get("text", "") for message in second["messages"] for block in message["content"]
    )
    await caller.rows.sound(chat)
