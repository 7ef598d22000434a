"""Which model is asked for summaries and names, seen at the far end of the wire."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.testing import ActivityEnvironment

from activities.listening import Patience
from activities.naming import Naming
from models.chat_state import StateName
from models.model_options import CallConfig
from models.providers import ProviderType
from models.store import catalog, overrides, providers
from models.store.catalog import NewModel
from models.store.configuration import Override
from models.store.providers import NewProvider
from models.turns import TitleProposal
from runtime.configuration import ChangeKind
from tests.activities.bench import Bench
from tests.activities.test_compaction import compact, full_chat, set_model, set_row

REASONING: dict[str, Any] = {"reasoning_effort": {"default": "low", "max": "high"}}


async def add_model(bench: Bench, name: str, config: dict[str, Any] | None = None) -> UUID:
    """Another model of the provider that the chat's model has."""
    configuration = bench.directory.configuration
    own = await configuration.model(bench.chat.model)
    assert own is not None
    new = NewModel(own.provider_id, name, name, 100_000, config=CallConfig.model_validate(config or {}))
    made = await catalog.create_model(bench.chat.engine, own.organization_id, new, uuid4())
    await configuration.changed(ChangeKind.MODEL, made.id)
    return made.id


async def name_for(bench: Bench, purpose: str, model: UUID, effort: str | None = None) -> None:
    override = Override(model, effort)
    await overrides.set_override(bench.chat.engine, bench.chat.organization, purpose, override)
    await bench.directory.configuration.changed(ChangeKind.OVERRIDES, bench.chat.organization)


async def propose(bench: Bench) -> dict[str, Any]:
    """Ask for a title; the request it made."""
    naming = Naming(bench.chat.engine, bench.live, bench.directory, Patience(20, 20))
    await ActivityEnvironment().run(naming.propose_title, TitleProposal(chat_id=bench.chat.chat))
    return bench.model.requests[-1].body


async def test_a_summary_is_asked_of_the_model_that_is_named_for_it(bench: Bench):
    await full_chat(bench)
    await name_for(bench, "compaction", await add_model(bench, "perdure-small", REASONING), "high")
    assert (await compact(bench)).compaction is None
    request = bench.model.requests[-1].body
    assert request["model"] == "perdure-small"
    assert request["thinking"]["budget_tokens"] == 16_384, "the effort of the override"
    (result,) = [r for r in await bench.chat.history() if r["compressed"] and r["role"] == "tool"]
    figures = result["content"][0]["result"]
    assert (figures["threshold_percent"], figures["context_limit_tokens"]) == (70, 100_000)


@pytest.mark.parametrize("gone", [{"enabled": False}, {"deleted": True}])
async def test_one_that_is_gone_leaves_the_summary_to_the_model_of_the_chat(
    bench: Bench, gone: dict[str, Any]
):
    await full_chat(bench)
    small = await add_model(bench, "perdure-small")
    await name_for(bench, "compaction", small)
    await set_model(bench, small, **gone)
    await bench.directory.configuration.changed(ChangeKind.MODEL, small)
    await compact(bench)
    assert bench.model.requests[-1].body["model"] == "perdure-demo"


async def test_one_that_fails_is_not_replaced_in_silence(bench: Bench):
    await full_chat(bench)
    await name_for(bench, "compaction", await add_model(bench, "perdure-small"))
    await set_row(bench, compaction_due="overflow", turn_ended=False)
    bench.model.order_fault({"kind": "status", "status": 404, "message": "model not found"})
    assert (await compact(bench)).name is StateName.E0
    assert len(bench.model.requests) == 2
    assert (await bench.chat.row())["last_error"]["kind"] == "config"


async def test_a_title_is_asked_of_the_model_that_is_named_for_it(bench: Bench):
    await bench.begin("hello")
    await add_model(bench, "claude-haiku-4-5")
    await name_for(bench, "title_generation", await add_model(bench, "perdure-small", REASONING), "low")
    request = await propose(bench)
    assert request["model"] == "perdure-small"
    assert request["max_tokens"] > 4096, "there is room to reason"


async def test_without_one_a_cheap_model_is_asked_that_the_organization_offers(bench: Bench):
    await bench.begin("hello")
    assert (await propose(bench))["model"] == "perdure-demo", "there is none"
    cheap = await add_model(bench, "claude-haiku-4-5-20251001")
    assert (await propose(bench))["model"] == "claude-haiku-4-5-20251001"
    await set_model(bench, cheap, enabled=False)
    await bench.directory.configuration.changed(ChangeKind.MODEL, cheap)
    assert (await propose(bench))["model"] == "perdure-demo"


async def test_a_cheap_model_of_a_provider_without_a_key_is_passed_over(bench: Bench):
    await bench.begin("hello")
    provider, organization = uuid4(), bench.chat.organization
    new = NewProvider(organization, ProviderType.ANTHROPIC, "keyless", "K", base_url=bench.model.base_url)
    await providers.create_provider(bench.chat.engine, new, provider, None)
    await bench.directory.configuration.changed(ChangeKind.PROVIDERS)
    haiku = NewModel(provider, "claude-haiku-4-5", "Haiku", 100_000)
    await catalog.create_model(bench.chat.engine, organization, haiku, uuid4())
    await bench.directory.configuration.changed(ChangeKind.MODEL)
    assert (await propose(bench))["model"] == "perdure-demo"
