"""Chats with models of every kind of provider, behind which stands one scripted server."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

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
from tests.durable.caller import Body, Caller, Reader
from tests.durable.rows import Rows

KINDS = ("anthropic", "openai-responses", "openai-chat", "openrouter")
SEARCHING = ("anthropic", "openai-responses")
"""Those who tell of their searches as calls; the others tell what they found only."""

SECOND_ACCOUNT = "openai-second"
"""Of OpenAI's Responses, beside `openai-responses`."""

_SEARCHES = {"web_search_enabled": True}
_CONFIGS: dict[str, tuple[ProviderType, str, dict[str, Any]]] = {
    "anthropic": (ProviderType.ANTHROPIC, "", {"provider_options": {"anthropic": _SEARCHES}}),
    "openai-responses": (ProviderType.OPENAI, "/v1", {"provider_options": {"openai": _SEARCHES}}),
    SECOND_ACCOUNT: (ProviderType.OPENAI, "/v1", {"provider_options": {"openai": _SEARCHES}}),
    "openai-chat": (
        ProviderType.OPENAI,
        "/v1",
        {"openai_config": {"use_responses_api": False}, "provider_options": {"openai": _SEARCHES}},
    ),
    "openrouter": (
        ProviderType.OPENROUTER,
        "/openrouter/v1",
        {"provider_options": {"openrouter": _SEARCHES}},
    ),
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
        return self.model.requests_of(self.chat)


async def offered_models(perdure: Stack, model: CheckedModel, rows: Rows) -> dict[str, str]:
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


def parts(messages: list[Body], kind: str, role: str | None = None) -> list[Body]:
    told = (message for message in messages if role in (None, message["role"]))
    return [part for message in told for part in message.get("content", []) if part["type"] == kind]
