"""Who is asked with whose key, and who may ask at all."""

import asyncio
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import insert

from api.auth.cookies import COOKIE
from models.permissions import Role, Scope
from models.store.tables import memberships
from runtime.secrets import new_master_key
from tests.activities.providers.vendor import Vendor
from tests.api.gateway.conftest import Gateway
from tests.api.people import NOBODIES, People
from tests.api.served import Body, client, make_organization, make_token, person, served

QUESTION: Body = {"model": "m", "max_tokens": 5, "messages": []}


async def ask(http: httpx2.AsyncClient, provider: str, body: Body = QUESTION) -> httpx2.Response:
    return await http.post(f"/aibridge/{provider}/v1/messages", json=body)


async def refusal(http: httpx2.AsyncClient, provider: str, body: Body = QUESTION) -> tuple[int, str, str]:
    answer = await ask(http, provider, body)
    told = answer.json()
    assert told["type"] == "error"
    return answer.status_code, told["error"]["type"], told["error"]["message"]


MAY = {"owner", "member", "reader", "org-owner", "org-admin"}


async def test_members_may_ask_and_nobody_else(gateway: Gateway, people: People):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    for whom in people.by_name:
        gateway.vendor.reply(b"{}", content_type="application/json")
        answer = await ask(people.http(whom), name)
        # who is in no organization where they could call models may not; to others the provider is not there
        expected = 200 if whom in MAY else 403 if whom in ("auditor", "left") else 404
        assert answer.status_code == expected, whom
    for whom in NOBODIES:
        answer = await ask(people.http(whom), name)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error"), whom
        assert "www-authenticate" in answer.headers
    assert len(gateway.vendor.asked) == len(MAY)


async def test_a_token_for_the_gateway_is_good_for_nothing_else(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    owner = gateway.door.owner.caller.user_id
    only = await make_token(gateway.door.engine, owner, Scope.GATEWAY)
    gateway.vendor.reply(b"{}", content_type="application/json")
    async with gateway.http(only) as http:
        assert (await http.post(f"{name}/v1/messages", json=QUESTION)).status_code == 200
    async with client(gateway.door.served.url, only) as http:
        assert (await http.get("/chats")).status_code == 403
        assert (await http.get("/aibridge/interceptions")).status_code == 403
    others = await make_token(gateway.door.engine, owner, Scope.CHAT_WRITE, Scope.ACCOUNT_WRITE)
    async with gateway.http(others) as http:
        assert (await http.post(f"{name}/v1/messages", json=QUESTION)).status_code == 403


async def test_a_cookie_opens_nothing_here(gateway: Gateway):
    name = (await gateway.add("anthropic", gateway.vendor.url))["name"]
    cookies = {COOKIE: gateway.door.owner.token}
    async with httpx2.AsyncClient(base_url=gateway.url, cookies=cookies, timeout=20) as browser:
        answer = await browser.post(
            f"{name}/v1/messages", json=QUESTION, headers={"sec-fetch-site": "same-origin"}
        )
    assert answer.status_code == 401


async def test_a_type_stands_for_the_first_provider_of_it_that_can_be_used(gateway: Gateway):
    http, vendor = gateway.door.owner.http, gateway.vendor
    await gateway.add("openai", vendor.url, api_key=None)
    disabled = await gateway.add("openai", vendor.url, enabled=False)
    async with Vendor() as elsewhere:
        used = await gateway.add("openai", elsewhere.url + "/v1")
        await gateway.add("openai", vendor.url)
        elsewhere.reply(b"{}", content_type="application/json")
        answer = await http.post("/aibridge/openai/v1/responses", json={"model": "m"})
        assert (answer.status_code, len(elsewhere.asked)) == (200, 1)
        elsewhere.reply(b"{}", content_type="application/json")
        assert (
            await http.post(f"/aibridge/{used['name']}/v1/responses", json={"model": "m"})
        ).status_code == 200
    named = await http.post(f"/aibridge/{disabled['name']}/v1/responses", json={"model": "m"})
    assert (named.status_code, named.json()["error"]["code"]) == (403, "provider_disabled")
    assert vendor.asked == []


@pytest.mark.parametrize(
    ("provider_type", "more", "says"),
    [
        ("anthropic", {"enabled": False}, (403, "permission_error", "provider_disabled")),
        ("anthropic", {"api_key": None}, (403, "permission_error", "missing_api_key")),
        (
            "anthropic",
            {"api_key": None, "allow_user_api_key": True},
            (403, "permission_error", "user_api_key_required"),
        ),
        ("openai", {}, (404, "not_found_error", "does not speak")),
        (
            "vertex",
            {"settings": {"region": "r", "project": "p"}},
            (404, "not_found_error", "have to be signed"),
        ),
    ],
)
async def test_a_provider_that_cannot_be_asked_says_why(
    gateway: Gateway, provider_type: str, more: Body, says: tuple[int, str, str]
):
    made = await gateway.add(provider_type, gateway.vendor.url, **more)
    status, kind, message = await refusal(gateway.door.owner.http, made["name"])
    assert (status, kind) == says[:2]
    assert says[2] in message
    assert gateway.vendor.asked == []


async def test_a_user_asks_with_their_own_key_where_that_is_allowed(gateway: Gateway):
    made = await gateway.add(
        "anthropic", gateway.vendor.url, allow_user_api_key=True, allow_central_api_key_fallback=True
    )
    own = await gateway.door.owner.http.put(
        f"/users/me/ai-provider-keys/{made['id']}", json={"api_key": "sk-of-ada"}
    )
    assert own.status_code < 300, own.text
    for person_, key in (
        (gateway.door.owner, "sk-of-ada"),
        (gateway.door.other, "sk-the-key-of-the-deployment"),
    ):
        gateway.vendor.reply(b"{}", content_type="application/json")
        assert (await ask(person_.http, made["name"])).status_code == 200
        assert gateway.vendor.asked[-1].header("x-api-key") == key


async def test_who_is_in_several_organizations_says_for_which_they_ask(gateway: Gateway):
    door = gateway.door
    second, _ = await make_organization(door.engine)
    async with person(door.engine, door.served.url, second, "Zed", role=Role.ADMIN) as admin:
        body = {"type": "anthropic", "name": f"p-{uuid4().hex[:8]}", "organization_id": str(second)}
        made = (
            await admin.http.post(
                "/ai-providers", json={**body, "base_url": gateway.vendor.url, "api_key": "k"}
            )
        ).json()
        assert (await ask(door.owner.http, made["name"])).status_code == 404
        async with door.engine.begin() as conn:
            await conn.execute(
                insert(memberships).values(
                    user_id=door.owner.caller.user_id, organization_id=second, role=Role.MEMBER
                )
            )
        token = await make_token(door.engine, door.owner.caller.user_id)
        for organization, status in ((None, 200), (second, 200), (door.organization, 404)):
            gateway.vendor.reply(b"{}", content_type="application/json")
            headers = {} if organization is None else {"X-Perdure-Organization": str(organization)}
            async with gateway.http(token, **headers) as http:
                answer = await http.post(f"{made['name']}/v1/messages", json=QUESTION)
            assert answer.status_code == status
    calls = await gateway.ended_calls()
    assert [call["organization_id"] for call in calls] == [str(second)] * 2


async def test_a_model_that_is_withheld_or_disabled_does_not_exist(gateway: Gateway):
    made = await gateway.add("anthropic", gateway.vendor.url)
    models = f"/organizations/{gateway.door.organization}/chats/models"
    new = {"ai_provider_id": made["id"], "model": "dear-one", "display_name": "Dear", "context_limit": 1000}
    added = await gateway.admin.http.post(models, json=new)
    assert added.status_code == 201, added.text
    dear = {**QUESTION, "model": "dear-one"}
    gateway.vendor.reply(b"{}", content_type="application/json")
    assert (await ask(gateway.door.owner.http, made["name"], dear)).status_code == 200
    withheld = {"group_roles": {str(gateway.door.organization): ""}}
    path = f"{models}/{added.json()['id']}"
    assert (await gateway.admin.http.patch(f"{path}/acl", json=withheld)).status_code == 204
    assert (await refusal(gateway.door.owner.http, made["name"], dear))[0] == 404
    gateway.vendor.reply(b"{}", content_type="application/json")
    assert (await ask(gateway.admin.http, made["name"], dear)).status_code == 200
    assert (await gateway.admin.http.patch(path, json={"enabled": False})).status_code == 200
    assert (await refusal(gateway.admin.http, made["name"], dear))[0] == 404
    gateway.vendor.reply(b"{}", content_type="application/json")
    assert (await ask(gateway.door.owner.http, made["name"])).status_code == 200, "one that nobody has listed"


async def test_an_operator_may_keep_to_models_that_are_listed(gateway: Gateway):
    made = await gateway.add("anthropic", gateway.vendor.url)
    settings = gateway.door.served.app.state.services.settings.model_copy(
        update={"gateway_unlisted_models": False}
    )
    async with served(settings) as strict, client(strict.url, gateway.door.owner.token) as http:
        assert (await refusal(http, made["name"]))[0] == 404
    assert gateway.vendor.asked == []


async def test_a_key_that_cannot_be_opened_is_told_without_it(gateway: Gateway):
    made = await gateway.add("anthropic", gateway.vendor.url)
    settings = gateway.door.served.app.state.services.settings
    other = settings.model_copy(update={"master_keys": SecretStr(new_master_key())})
    async with served(other) as elsewhere, client(elsewhere.url, gateway.door.owner.token) as http:
        status, kind, message = await refusal(http, made["name"])
    assert (status, kind) == (403, "permission_error")
    assert "cannot be opened" in message


async def test_a_change_holds_for_the_next_call_and_calls_under_way_end_as_they_began(gateway: Gateway):
    made = await gateway.add("anthropic", gateway.vendor.url)
    go_on = asyncio.Event()
    gateway.vendor.reply(b"data: old\n\n", go_on, b"data: still old\n\n")
    http = gateway.door.owner.http
    async with Vendor() as elsewhere:
        path = f"/aibridge/{made['name']}/v1/messages"
        async with http.stream("POST", path, json=QUESTION) as under_way:
            pieces = under_way.aiter_raw()
            assert await anext(pieces) == b"data: old\n\n"
            change = {"base_url": elsewhere.url, "api_key": "sk-new"}
            changed = await gateway.admin.http.patch(f"/ai-providers/{made['id']}", json=change)
            assert changed.status_code == 200, changed.text
            elsewhere.reply(b"{}", content_type="application/json")
            assert (await ask(http, made["name"])).status_code == 200
            assert elsewhere.asked[0].header("x-api-key") == "sk-new"
            assert (await gateway.admin.http.delete(f"/ai-providers/{made['id']}")).status_code == 204
            assert (await ask(http, made["name"])).status_code == 404
            go_on.set()
            assert b"".join([piece async for piece in pieces]) == b"data: still old\n\n"


@pytest.mark.usefixtures("every_request_counts")
async def test_calls_count_for_the_limit_of_the_token(gateway: Gateway):
    made = await gateway.add("openai", gateway.vendor.url)
    settings = gateway.door.served.app.state.services.settings.model_copy(update={"rate_limit_per_minute": 1})
    token = await make_token(gateway.door.engine, gateway.door.owner.caller.user_id)
    gateway.vendor.reply(b"{}", content_type="application/json")
    async with served(settings) as strict, client(strict.url, token) as http:
        path = f"/aibridge/{made['name']}/v1/responses"
        assert (await http.post(path, json={"model": "m"})).status_code == 200
        refused = await http.post(path, json={"model": "m"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) > 0
