"""What is written down, by whom it is read, and what becomes of calls whose process dies."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from api.gateway.recording import CallBook
from models.store.gateway_calls import CallResult, NewCall, Outcome, begin_call, finish_call
from models.store.tables import gateway_calls
from models.usage import MAX_TOKENS, Usage
from tests.activities.providers.vendor import Vendor
from tests.api.conftest import Door
from tests.api.gateway.conftest import Gateway
from tests.api.people import People
from tests.api.served import Body

USAGE = b'{"id": "msg_1", "usage": {"input_tokens": 1000, "output_tokens": 3}, "content": []}'


def new_call(door: Door, **more: object) -> NewCall:
    values: dict[str, object] = {
        "id": uuid4(),
        "organization_id": door.organization,
        "user_id": door.owner.caller.user_id,
        "token_id": door.owner.caller.token_id,
        "provider_id": uuid4(),
        "provider_name": "somewhere",
        "model": "m",
        "endpoint": "messages",
        "streamed": False,
        **more,
    }
    return NewCall(**values)  # pyright: ignore[reportArgumentType]


async def began_ago(engine: AsyncEngine, call: NewCall, seconds: float) -> None:
    await begin_call(engine, call)
    async with engine.begin() as conn:
        began = datetime.now(UTC) - timedelta(seconds=seconds)
        await conn.execute(
            update(gateway_calls).where(gateway_calls.c.id == call.id).values(started_at=began)
        )


async def test_a_call_costs_what_the_organization_says_that_it_costs(gateway: Gateway):
    made = await gateway.add("anthropic", gateway.vendor.url)
    new = {
        "ai_provider_id": made["id"],
        "model": "priced",
        "display_name": "Priced",
        "context_limit": 1000,
        "model_config": {
            "cost": {"input_price_per_million_tokens": 2.5, "output_price_per_million_tokens": "10"}
        },
    }
    models = f"/organizations/{gateway.door.organization}/chats/models"
    added = await gateway.admin.http.post(models, json=new)
    assert added.status_code == 201, added.text
    path = f"/aibridge/{made['name']}/v1/messages"
    for model, cost in (("priced", 2530), ("claude-sonnet-4-5", 3045), ("nobody-knows-it", None)):
        gateway.vendor.reply(USAGE, content_type="application/json")
        await gateway.door.owner.http.post(path, json={"model": model})
        assert (await gateway.ended_calls())[0]["cost_micros"] == cost, model


async def test_a_call_is_written_down_before_it_is_made(gateway: Gateway):
    made = await gateway.add("anthropic", gateway.vendor.url)
    end = asyncio.Event()
    gateway.vendor.reply(end, b"data: x\n\n")
    http = gateway.door.owner.http
    asking = asyncio.create_task(
        http.post(f"/aibridge/{made['name']}/v1/messages", json={"model": "m", "stream": True})
    )
    await gateway.vendor.begun.wait()
    (call,) = await gateway.calls()
    assert (call["outcome"], call["ended_at"], call["model"], call["streamed"]) == (None, None, "m", True)
    end.set()
    await asking
    (call,) = await gateway.ended_calls()
    assert call["ended_at"] >= call["started_at"]


async def test_the_end_of_a_call_is_written_once(gateway: Gateway):
    engine, call = gateway.door.engine, new_call(gateway.door)
    await begin_call(engine, call)
    assert await finish_call(engine, call.id, CallResult(Outcome.COMPLETED, 200, usage=Usage(5, 6)))
    assert not await finish_call(engine, call.id, CallResult(Outcome.FAILED, 500))
    (seen,) = await gateway.calls()
    assert (seen["outcome"], seen["status_code"], seen["token_usage"]["output_tokens"]) == (
        "completed",
        200,
        6,
    )


async def test_calls_whose_process_has_died_are_lost_and_others_are_not(gateway: Gateway):
    engine, book = gateway.door.engine, CallBook(gateway.door.engine)
    dead, running, over = (new_call(gateway.door) for _ in range(3))
    await began_ago(engine, running, 600)
    await began_ago(engine, over, 7200)
    await finish_call(engine, over.id, CallResult(Outcome.COMPLETED, 200))
    await began_ago(engine, dead, 7200)  # last: the API looks for such calls, too
    assert await book.give_up() >= 1
    assert await book.give_up() == 0
    outcomes = {call["id"]: call["outcome"] for call in await gateway.calls()}
    assert outcomes == {str(dead.id): "lost", str(running.id): None, str(over.id): "completed"}
    assert not await finish_call(engine, dead.id, CallResult(Outcome.COMPLETED, 200)), "it comes too late"


SEES_ALL = {"org-owner", "org-admin", "auditor", "site-owner"}


async def test_members_read_their_own_calls_and_who_oversees_the_organization_reads_all(
    gateway: Gateway, people: People
):
    own, others = new_call(gateway.door), new_call(gateway.door, user_id=people.id("member"))
    for call in (own, others):
        await begin_call(gateway.door.engine, call)
    for whom, person in people.by_name.items():
        seen = {call["id"] for call in await gateway.calls(person)} & {str(own.id), str(others.id)}
        expected = {str(own.id), str(others.id)} if whom in SEES_ALL else set[str]()
        if whom in ("owner", "member"):
            expected = {str(own.id)} if whom == "owner" else {str(others.id)}
        assert seen == expected, whom


async def test_pages_and_filters(gateway: Gateway, people: People):
    door = gateway.door
    ids: list[str] = []
    for number in range(5):
        call = new_call(door, model=f"m{number % 2}", provider_name=f"p{number // 3}")
        await began_ago(door.engine, call, 1000 - 100 * number)
        ids.insert(0, str(call.id))

    async def listed(**wanted: str | int) -> list[str]:
        return [call["id"] for call in await gateway.calls(**wanted)]

    assert await listed() == ids
    assert await listed(limit=2) == ids[:2]
    assert await listed(limit=2, after_id=ids[1]) == ids[2:4]
    assert await listed(after_id=ids[4]) == []
    assert await listed(after_id=str(uuid4())) == []
    assert await listed(model="m1") == [ids[1], ids[3]]
    assert await listed(provider="p0") == ids[2:]
    assert await listed(user_id=str(people.id("member"))) == []
    assert await listed(organization_id=str(door.organization)) == ids
    assert await listed(organization_id=str(uuid4())) == []
    middle = datetime.now(UTC) - timedelta(seconds=850)
    assert await listed(since=middle.isoformat()) == ids[:3]
    assert await listed(until=middle.isoformat()) == ids[3:]
    foreign = people.by_name["other-tenant"].http
    answer = await foreign.get("/aibridge/interceptions", params={"after_id": ids[2]})
    assert answer.json() == {"interceptions": [], "has_more": False}
    page = (await door.owner.http.get("/aibridge/interceptions", params={"limit": 2})).json()
    assert page["has_more"] is True


@pytest.mark.parametrize(
    "wanted",
    [
        {"limit": 0},
        {"limit": 201},
        {"after_id": "x"},
        {"model": ""},
        {"since": "yesterday"},
        {"provider": "x" * 201},
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(gateway: Gateway, wanted: Body):
    answer = await gateway.door.owner.http.get("/aibridge/interceptions", params=wanted)
    assert answer.status_code == 400
    assert answer.json()["validations"][0]["field"] in wanted


async def test_a_call_whose_counts_make_no_sense_is_recorded_all_the_same(gateway: Gateway, vendor: Vendor):
    made = await gateway.add("anthropic", vendor.url)
    answer: Body = {"id": "m", "content": [], "usage": {"input_tokens": 2**63, "output_tokens": -1}}
    vendor.reply(json.dumps(answer).encode(), content_type="application/json")
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    await gateway.door.owner.http.post(f"/aibridge/{made['name']}/v1/messages", json=body)
    (call,) = await gateway.ended_calls()
    tokens = call["token_usage"]
    assert call["outcome"] == "completed"
    assert (tokens["input_tokens"], tokens["output_tokens"]) == (MAX_TOKENS, 0)


async def test_what_was_said_is_nowhere_in_the_record(gateway: Gateway, vendor: Vendor):
    made = await gateway.add("anthropic", vendor.url)
    secret = "the colour is grue"
    answer = {"id": "m", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": secret}}]}
    vendor.reply(json.dumps(answer).encode(), content_type="application/json")
    body = {"model": "m", "messages": [{"role": "user", "content": secret}]}
    await gateway.door.owner.http.post(f"/aibridge/{made['name']}/v1/messages", json=body)
    (call,) = await gateway.ended_calls()
    assert call["tool_usages"] == [{"id": "t", "name": "n", "provider_executed": False}]
    async with gateway.door.engine.connect() as conn:
        row = (await conn.execute(gateway_calls.select().where(gateway_calls.c.id == UUID(call["id"])))).one()
    assert "grue" not in str(row)
