"""What every chat is told: the deployment's prompt and the user's own."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
from sqlalchemy import func, select

from models.deployment import SettingName
from models.store.reading import transaction
from models.store.tables import messages
from tests.api.conftest import Door
from tests.api.people import People

SYSTEM = "/chats/config/system-prompt"
MINE = "/chats/config/user-prompt"


@pytest.fixture
async def people(people: People) -> AsyncGenerator[People]:
    """Who leave the deployment's prompt as it was."""
    yield people
    await people.http("site-owner").put(
        SYSTEM, json={"system_prompt": "", "include_default_system_prompt": True}
    )


async def told(door: Door) -> list[str]:
    """What a new chat is told first."""
    chat = await door.create()
    async with door.engine.connect() as conn:
        found = await conn.execute(
            select(messages.c.content)
            .where(messages.c.chat_id == UUID(chat["id"]), messages.c.role == "system")
            .order_by(messages.c.id)
        )
        return [row.content[0]["text"] for row in found]


async def test_new_chats_begin_with_what_the_administrator_wrote(door: Door, people: People):
    http = people.http("site-owner")
    before = (await http.get(SYSTEM)).json()
    default = before["default_system_prompt"]
    assert await told(door) == [default]
    assert (await http.put(SYSTEM, json={"system_prompt": "Be brief."})).status_code == 204
    assert (await http.get(SYSTEM)).json()["system_prompt"] == "Be brief."
    assert (await told(door))[-1] == "Be brief."
    await http.put(SYSTEM, json={"system_prompt": "Be brief.", "include_default_system_prompt": False})
    assert await told(door) == ["Be brief."]
    await http.put(SYSTEM, json={"system_prompt": "Be long."})
    assert await told(door) == ["Be long."], "the flag stays as it was"
    await http.put(SYSTEM, json={"system_prompt": "Be long.", "include_default_system_prompt": True})
    assert await told(door) == [default, "Be long."]


async def test_what_nobody_can_see_is_taken_out(door: Door, people: People):
    http = people.http("site-owner")
    await http.put(SYSTEM, json={"system_prompt": "  a\u200bb\u202e\r\nc\x00\U000e0041 "})
    assert (await http.get(SYSTEM)).json()["system_prompt"] == "ab\nc"


async def test_a_prompt_has_a_limit(door: Door, people: People):
    http = people.http("site-owner")
    assert (await http.put(SYSTEM, json={"system_prompt": "x" * 131_073})).status_code == 400
    assert (await http.put(SYSTEM, json={"system_prompt": "x" * 131_072})).status_code == 204
    assert (await http.put(SYSTEM, json={"system_prompt": "x" * 262_200})).status_code == 413
    assert (await door.owner.http.put(MINE, json={"custom_prompt": "x" * 131_073})).status_code == 400


async def test_only_site_owners_see_and_change_it(people: People):
    for whom in ("org-owner", "member", "auditor"):
        assert (await people.http(whom).get(SYSTEM)).status_code == 404
        assert (await people.http(whom).put(SYSTEM, json={"system_prompt": "x"})).status_code == 403
    assert (await people.http("nobody").get(SYSTEM)).status_code == 401


async def test_writing_what_is_there_already_leaves_no_trace(people: People):
    http = people.http("site-owner")
    for _ in range(3):
        await http.put(SYSTEM, json={"system_prompt": "Once."})
    lines = (await http.get("/audit", params={"target_id": "system_prompt", "limit": 2})).json()["audit_logs"]
    written = [line for line in lines if line["changes"].get("system_prompt") == "Once."]
    assert len(written) == 1


async def test_two_who_write_at_once_keep_what_they_do_not_mention(people: People):
    http = people.http("site-owner")
    for round_ in range(5):
        await http.put(SYSTEM, json={"system_prompt": "", "include_default_system_prompt": True})
        with_flag = {"system_prompt": f"a{round_}", "include_default_system_prompt": False}
        await asyncio.gather(
            http.put(SYSTEM, json=with_flag), http.put(SYSTEM, json={"system_prompt": f"b{round_}"})
        )
        assert (await http.get(SYSTEM)).json()["include_default_system_prompt"] is False


async def test_a_setting_that_somebody_holds_is_refused_after_a_while(door: Door, people: People):
    http = people.http("site-owner")
    async with transaction(door.engine) as holder:
        name = SettingName.SYSTEM_PROMPT
        await holder.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"setting {name}"))))
        refused = await http.put(SYSTEM, json={"system_prompt": "too late"})
        other = await http.put("/chats/config/personal-model-overrides", json={"allow_users": False})
    assert (refused.status_code, other.status_code) == (503, 204)
    assert (await http.get(SYSTEM)).json()["system_prompt"] != "too late"


async def test_a_users_prompt_is_their_own(door: Door):
    mine, other = door.owner.http, door.other.http
    assert (await mine.get(MINE)).json() == {"custom_prompt": ""}
    put = await mine.put(MINE, json={"custom_prompt": " Call me Ada.\u200b "})
    assert (put.status_code, put.json()) == (200, {"custom_prompt": "Call me Ada."})
    assert (await mine.get(MINE)).json() == {"custom_prompt": "Call me Ada."}
    assert (await other.get(MINE)).json() == {"custom_prompt": ""}
    await mine.put(MINE, json={"custom_prompt": ""})
    assert (await mine.get(MINE)).json() == {"custom_prompt": ""}
