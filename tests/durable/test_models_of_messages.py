"""Each message is answered by the model it was sent for, whenever its turn comes."""

from typing import Any
from uuid import uuid4

from tests.durable.saying import WORDS
from tests.durable.talks import Talk


def standing(hold: str) -> dict[str, Any]:
    """An answer that stops in the middle."""
    return {"text": WORDS, "pieces": 10, "hold": {"name": hold, "after_pieces": 4}}


async def model_of_chat(talk: Talk) -> str:
    return (await talk.caller.http.get(f"{talk.caller.url}/{talk.chat}")).json()["last_model_config_id"]


async def test_queued_messages_keep_their_models_and_bring_them_into_the_chat(talk: Talk) -> None:
    reader = await talk.say("anthropic", standing("queued-models"))
    await talk.model.reached("queued-models")
    await talk.say("openai-chat", {"text": "Second."})
    await talk.say("openrouter", {"text": "Third."})
    assert await model_of_chat(talk) == talk.models["anthropic"]
    talk.model.release("queued-models")
    await reader.rested(3)
    await talk.is_sound(WORDS, "Second.", "Third.")
    kinds = ["anthropic", "openai-chat", "openrouter"]
    assert [request.body["model"] for request in talk.sent()] == [f"demo-{kind}" for kind in kinds]
    stored = await talk.caller.messages(talk.chat)
    answered_by = [message["model_config_id"] for message in stored if message["role"] == "assistant"]
    assert answered_by == [talk.models[kind] for kind in kinds]
    assert await model_of_chat(talk) == talk.models["openrouter"]


async def test_a_promoted_message_brings_its_model_along(talk: Talk) -> None:
    reader = await talk.say("openai-chat", standing("promoted-model"))
    await talk.model.reached("promoted-model")
    await reader.until(lambda r: "three" in r.preview)
    await talk.say("anthropic", {"text": "Last."})
    await talk.say("openai-responses", {"text": "Next."})
    await reader.until(lambda r: [e for e in r.seen if len(e.get("queued_messages", [])) == 2])
    queue = [event["queued_messages"] for event in reader.seen if event["type"] == "queue_update"][-1]
    assert (await talk.caller.promote(talk.chat, queue[1]["id"])).status_code == 202
    await reader.rested(3)
    asked = [request.body["model"] for request in talk.sent()]
    assert asked == ["demo-openai-chat", "demo-openai-responses", "demo-anthropic"]
    assert await model_of_chat(talk) == talk.models["anthropic"]
    await talk.caller.rows.sound(talk.chat)


async def test_without_the_user_s_key_nothing_is_asked_and_another_model_goes_on(talk: Talk) -> None:
    me, http = await talk.caller.rows.first_user(), talk.caller.v2
    ours = {"type": "anthropic", "name": f"theirs-{uuid4()}", "allow_user_api_key": True}
    provider = (await http.post("/ai-providers", json={**ours, "base_url": talk.model.base_url})).json()["id"]
    key = f"/users/me/ai-provider-keys/{provider}"
    assert (await http.put(key, json={"api_key": "sk-mine"})).status_code == 200
    new = {"ai_provider_id": provider, "model": "demo-mine", "context_limit": 200_000}
    mine = await http.post(f"/organizations/{me.organization_id}/chats/models", json=new)
    talk.models = {**talk.models, "mine": mine.json()["id"]}
    reader = await talk.say("anthropic", standing("key-removed"))
    await talk.model.reached("key-removed")
    await talk.say("mine", {"text": "never"})
    assert (await http.delete(key)).status_code == 204
    talk.model.release("key-removed")
    await reader.until(lambda r: r.status == "error")
    await reader.until(lambda r: [event for event in r.seen if event["type"] == "error"])
    stored = (await talk.caller.http.get(f"{talk.caller.url}/{talk.chat}")).json()["last_error"]
    assert [event["error"] for event in reader.seen if event["type"] == "error"] == [stored]
    assert (stored["kind"], stored["provider"], stored["retryable"]) == ("missing_key", "anthropic", False)
    assert [request.body["model"] for request in talk.sent()] == ["demo-anthropic"]
    talk.answers = 1
    await talk.turn("anthropic", {"text": "Better."})
    await talk.is_sound(WORDS, "Better.")
