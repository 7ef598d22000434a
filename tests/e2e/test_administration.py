"""`perdure providers`, `models` and `keys` against a whole stack."""

import json
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from cli.stack import Stack
from runtime.database import driver_url

from .conftest import Ended, Perdure

KEY = "sk-a-key-that-nobody-may-see"


async def run(perdure: Perdure, *arguments: str, **more: Any) -> Ended:
    ended = await perdure(*arguments, **more)
    assert ended.code == 0, ended.err
    assert KEY not in ended.out + ended.err
    return ended


async def add_provider(perdure: Perdure, stack: Stack, name: str) -> None:
    await run(
        perdure,
        *(
            "providers",
            "add",
            "anthropic",
            "--name",
            name,
            "--base-url",
            stack.environment["PERDURE_DEMO_MODEL_URL"],
        ),
        given=f"{KEY}\n",
    )


async def test_a_provider_is_added_and_checked_and_its_model_used(
    perdure: Perdure, whole_stack: Stack
) -> None:
    await add_provider(perdure, whole_stack, "mine")
    listed = json.loads((await run(perdure, "providers", "list", "--json")).out)
    assert ("mine", "stored", True) in [(p["name"], p["api_key_source"], p["enabled"]) for p in listed]

    checked = await run(perdure, "providers", "check", "mine", "--model", "perdure-demo")
    assert checked.out.startswith("mine works: perdure-demo answered"), checked.out
    assert "tools     accepted" in checked.out
    assert "key       central" in checked.out

    added = await run(perdure, "models", "add", "mine:perdure-demo", "--as", "Mine", "--default")
    assert "New chats use it." in added.out
    assert "Mine" in (await run(perdure, "models", "list")).out
    assert (await run(perdure, "chat", "What time is it?")).out.startswith("Let me look at the clock.")
    await run(perdure, "providers", "remove", "mine")


async def test_a_provider_is_switched_off_and_on_and_removed_under_a_chat(
    perdure: Perdure, whole_stack: Stack
) -> None:
    await add_provider(perdure, whole_stack, "brief")
    await run(perdure, "models", "add", "brief:perdure-demo", "--default")
    chat = await run(perdure, "chat", "What time is it?")
    await run(perdure, "providers", "disable", "brief")
    refused = await perdure("chat", "--resume", chat.chat_id, "And now?")
    assert refused.code == 1
    assert "disabled" in refused.err
    await run(perdure, "providers", "enable", "brief")
    assert (await run(perdure, "chat", "--resume", chat.chat_id, "And now?")).out
    await run(perdure, "providers", "remove", "brief")
    again = await run(perdure, "chat", "--resume", chat.chat_id, "And on the default?")
    assert again.out, "the chat goes on with the default model"
    assert (await run(perdure, "models", "list")).out.count("default") == 1


async def test_a_check_says_what_is_wrong(perdure: Perdure, whole_stack: Stack) -> None:
    await run(
        perdure,
        *(
            "providers",
            "add",
            "openai-compat",
            "--name",
            "nowhere",
            "--base-url",
            "http://127.0.0.1:9",
            "--no-key",
        ),
    )
    ended = await perdure("providers", "check", "nowhere", "--model", "m")
    assert ended.code == 1
    assert "nowhere does not work" in ended.out
    await run(perdure, "providers", "remove", "nowhere")
    missing = await perdure("providers", "check", "nowhere")
    assert missing.code == 1
    assert "there is no provider 'nowhere'" in missing.err


async def test_new_master_keys_seal_everything_anew_while_all_is_running(
    perdure: Perdure, whole_stack: Stack
) -> None:
    await add_provider(perdure, whole_stack, "sealed")
    before = await sealed(whole_stack)
    ended = await run(perdure, "keys", "rotate")
    assert f"Sealed {len(before)} secret" in ended.out
    after = await sealed(whole_stack)
    assert [row.ai_provider_id for row in before] == [row.ai_provider_id for row in after]
    assert {row.master_key_id for row in before}.isdisjoint({row.master_key_id for row in after})
    checked = await run(perdure, "providers", "check", "sealed", "--model", "perdure-demo")
    assert "works" in checked.out, "the worker has read the new key by itself"
    file = whole_stack.directory.path / "master.key"
    assert (file.stat().st_mode & 0o777, len(file.read_text().split())) == (0o600, 2)
    await run(perdure, "providers", "remove", "sealed")


async def sealed(stack: Stack) -> list[Any]:
    engine = create_async_engine(driver_url(stack.database_url), poolclass=NullPool)
    async with engine.connect() as conn:
        rows = list(await conn.execute(text("SELECT * FROM ai_provider_keys ORDER BY ai_provider_id")))
    await engine.dispose()
    assert rows
    assert not any(KEY.encode() in row.sealed for row in rows)
    return rows


async def test_what_is_known_of_models_needs_no_server(perdure: Perdure) -> None:
    known = json.loads((await run(perdure, "models", "known", "anthropic", "--json")).out)
    sonnet = next(model for model in known if model["model"] == "claude-sonnet-4-5")
    assert sonnet["context_limit"] == 200_000
    assert sonnet["cost"]["input_price_per_million_tokens"] == "3"
