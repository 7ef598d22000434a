"""API tokens: shown once, good for what they say, gone when they are revoked."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from api.auth.uses import TokenUses
from models.permissions import Role, Scope, SiteRole
from models.store.tables import api_tokens
from tests.api.conftest import Door
from tests.api.served import client, make_token, person, text

TOKENS = "/users/me/keys/tokens"


async def test_a_secret_is_shown_once_and_works(door: Door):
    made = await door.owner.http.post(TOKENS, json={"token_name": "laptop", "lifetime_seconds": 3600})
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    token = made.json()
    async with client(door.served.url, token["key"]) as http:
        assert (await http.get("/users/me")).status_code == 200
    listed = (await door.owner.http.get(TOKENS)).json()
    shown = next(one for one in listed if one["id"] == token["id"])
    assert shown == {field: value for field, value in token.items() if field != "key"}
    assert (shown["token_name"], shown["scopes"], shown["kind"]) == ("laptop", ["all"], "token")
    left = datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert (await door.owner.http.get(f"{TOKENS}/{token['id']}")).json() == shown


@pytest.mark.parametrize("path", [TOKENS, "/users/me/keys"])
async def test_a_revoked_token_holds_no_more(door: Door, path: str):
    token = (await door.owner.http.post(TOKENS, json={})).json()
    async with client(door.served.url, token["key"]) as http:
        assert (await http.get("/users/me")).status_code == 200
        assert (await door.owner.http.delete(f"{path}/{token['id']}")).status_code == 204
        assert (await http.get("/users/me")).status_code == 401
    assert (await door.owner.http.delete(f"{path}/{token['id']}")).status_code == 404
    assert (await door.owner.http.get(f"{TOKENS}/{token['id']}")).status_code == 404


async def test_the_lifetime_may_be_given_in_nanoseconds(door: Door):
    made = (await door.owner.http.post(TOKENS, json={"lifetime": 60 * 10**9, "scope": "all"})).json()
    assert datetime.fromisoformat(made["expires_at"]) < datetime.now(UTC) + timedelta(seconds=61)
    assert (await door.owner.http.post(TOKENS, json={"lifetime": 0})).json()["expires_at"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"token_name": ""},
        {"token_name": "x" * 65},
        {"scopes": ["moon:land"]},
        {"lifetime_seconds": 0},
        {"lifetime_seconds": 10**12},
        {"lifetime": -1},
        {"scope": "application_connect"},
    ],
)
async def test_a_token_that_breaks_a_rule_is_not_made(door: Door, body: dict[str, object]):
    before = [token["id"] for token in (await door.owner.http.get(TOKENS)).json()]
    assert (await door.owner.http.post(TOKENS, json=body)).status_code == 400
    assert [token["id"] for token in (await door.owner.http.get(TOKENS)).json()] == before


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        (Scope.CHAT_READ, {"read chats"}),
        (Scope.CHAT_WRITE, {"read chats", "write chats"}),
        (Scope.ACCOUNT_READ, {"read users"}),
        (Scope.ACCOUNT_WRITE, {"read users", "write users"}),
        (Scope.ALL, {"read chats", "write chats", "read users", "write users"}),
    ],
)
async def test_a_token_is_good_for_its_scopes(door: Door, scope: Scope, may: set[str]):
    token = await make_token(door.engine, door.owner.caller.user_id, scope)
    chat = {"organization_id": str(door.organization), "content": text("hi")}
    tried = {
        "read chats": ("GET", "/chats", None, 200),
        "write chats": ("POST", "/chats", chat, 201),
        "read users": ("GET", "/users", None, 200),
        "write users": ("PATCH", "/users/me", {"name": "Ada"}, 200),
    }
    async with client(door.served.url, token) as http:
        for what, (method, path, body, status) in tried.items():
            response = await http.request(method, path, json=body)
            assert response.status_code == (status if what in may else 403), what
        assert (await http.get("/users/me")).status_code == 200, "every token may ask whose it is"


@pytest.mark.parametrize(("scope", "status"), [(Scope.CHAT_WRITE, 403), (Scope.ACCOUNT_WRITE, 204)])
async def test_a_token_for_chats_changes_no_settings_of_the_deployment(door: Door, scope: Scope, status: int):
    async with person(
        door.engine, door.served.url, door.organization, "site", site_role=SiteRole.OWNER
    ) as site:
        token = await make_token(door.engine, site.caller.user_id, scope)
        async with client(door.served.url, token) as http:
            for name, body in (
                ("retention-days", {"retention_days": 30}),
                ("auto-archive-days", {"auto_archive_days": 0}),
                ("system-prompt", {"system_prompt": ""}),
                ("personal-model-overrides", {"allow_users": False}),
            ):
                assert (await http.put(f"/chats/config/{name}", json=body)).status_code == status, name
            own = await http.put("/chats/config/user-prompt", json={"custom_prompt": ""})
            assert own.status_code == (200 if scope is Scope.CHAT_WRITE else 403)


async def test_a_token_makes_none_that_is_good_for_more(door: Door):
    token = await make_token(door.engine, door.owner.caller.user_id, Scope.ACCOUNT_WRITE)
    async with client(door.served.url, token) as http:
        assert (await http.post(TOKENS, json={})).status_code == 403
        assert (await http.post(TOKENS, json={"scopes": ["chat:read"]})).status_code == 403
        assert (await http.post(TOKENS, json={"scopes": ["account:read"]})).status_code == 201


async def test_tokens_of_others_are_for_those_who_manage_them(door: Door):
    path = f"/users/{door.owner.caller.user_id}/keys/tokens"
    async with person(door.engine, door.served.url, door.organization, "root", role=Role.ADMIN) as admin:
        made = await admin.http.post(path, json={"token_name": "for Ada"})
        assert made.status_code == 201
        async with client(door.served.url, made.json()["key"]) as http:
            assert (await http.get("/users/me")).json()["id"] == str(door.owner.caller.user_id)
        assert (await admin.http.delete(f"{path}/{made.json()['id']}")).status_code == 204
    assert (await door.other.http.get(path)).status_code == 403
    assert (await door.other.http.post(path, json={})).status_code == 403
    assert (await door.other.http.delete(f"{path}/{uuid4()}")).status_code == 403
    own = (await door.owner.http.get(TOKENS)).json()[0]["id"]
    assert (await door.other.http.delete(f"{TOKENS}/{own}")).status_code == 404


async def test_use_is_written_beside_the_requests_in_one_go(door: Door):
    uses = TokenUses(door.engine)
    tokens = [door.owner.caller.token_id, door.other.caller.token_id]
    for token in tokens * 3:
        uses.note(token)
    await uses.write()
    async with door.engine.connect() as conn:
        found = await conn.execute(select(api_tokens.c.last_used_at).where(api_tokens.c.id.in_(tokens)))
        first = sorted(row.last_used_at for row in found)
    assert None not in first
    uses.note(tokens[0])
    await uses.write()
    async with door.engine.connect() as conn:
        found = await conn.execute(select(api_tokens.c.last_used_at).where(api_tokens.c.id.in_(tokens)))
        assert sorted(row.last_used_at for row in found) == first, "it is known of this minute"
    shown = (await door.owner.http.get("/users/me")).json()
    assert shown["last_seen_at"] is not None
