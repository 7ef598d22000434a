"""What keeps the doors from floods, foreign pages and stale rights."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import websockets
from redis.asyncio import Redis
from sqlalchemy import delete, event, update

from api.auth.cookies import COOKIE
from models.store.tables import api_tokens, chat_user_readers, memberships, users
from runtime.settings import Settings
from tests.api.conftest import Door
from tests.api.people import share
from tests.api.served import Served, client, make_token, served, text
from tests.api.streaming.readers import PATIENCE_SECONDS, sse

PAGE = "https://chat.example.com"


@asynccontextmanager
async def api_with(settings: Settings, **changes: Any) -> AsyncGenerator[Served]:
    """The API with other settings."""
    async with served(settings.model_copy(update=changes)) as running:
        yield running


@pytest.mark.usefixtures("every_request_counts")
async def test_a_token_that_asks_too_often_waits_and_others_do_not(settings: Settings, door: Door):
    async with api_with(settings, rate_limit_per_minute=5) as api:
        async with client(api.url, door.owner.token) as http:
            for left in range(4, -1, -1):
                answer = await http.get("/users/me")
                assert answer.status_code == 200
                assert answer.headers["x-ratelimit-limit"] == "5"
                assert answer.headers["x-ratelimit-remaining"] == str(left)
            refused = await http.get("/users/me")
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 12
            assert 48 <= int(refused.headers["x-ratelimit-reset"]) <= 60
            assert refused.json()["message"]
            async with http.stream("GET", "/chats/watch") as watching:
                assert watching.status_code == 429
        async with client(api.url, door.other.token) as http:
            assert (await http.get("/users/me")).status_code == 200


@pytest.mark.usefixtures("every_request_counts")
async def test_the_limit_of_a_token_holds_for_all_processes_together(settings: Settings, door: Door):
    async with (
        api_with(settings, rate_limit_per_minute=2) as one,
        api_with(settings, rate_limit_per_minute=2) as other,
    ):
        token = await make_token(door.engine, door.owner.caller.user_id)
        statuses: list[int] = []
        for api in (one, other, one, other):
            async with client(api.url, token) as http:
                statuses.append((await http.get("/users/me")).status_code)
        assert statuses == [200, 200, 429, 429]


@pytest.mark.usefixtures("every_request_counts")
async def test_who_has_no_valid_token_is_counted_by_address(settings: Settings, door: Door, redis: Redis):
    await redis.delete("perdure:rate:address:127.0.0.1")
    async with api_with(settings, rate_limit_per_minute_and_address=3) as api:
        statuses: list[int] = []
        for number in range(5):
            async with client(api.url, f"perdure_guess_{number}") as http:
                statuses.append((await http.get("/users/me")).status_code)
        assert statuses == [401, 401, 401, 429, 429]
        async with client(api.url, door.owner.token) as http:
            assert (await http.get("/users/me")).status_code == 200, "a valid token is let in"
    await redis.delete("perdure:rate:address:127.0.0.1")


async def test_a_limit_of_zero_is_none_and_probes_are_not_counted(settings: Settings, door: Door):
    async with api_with(settings, rate_limit_per_minute=0) as api:
        async with client(api.url, door.owner.token) as http:
            assert "x-ratelimit-limit" not in (await http.get("/users/me")).headers
        async with httpx2.AsyncClient(base_url=api.url) as http:
            assert "x-ratelimit-limit" not in (await http.get("/healthz")).headers


async def test_without_redis_everybody_is_let_in(settings: Settings, door: Door):
    async with (
        api_with(settings, rate_limit_per_minute=1, redis_url="redis://127.0.0.1:1") as api,
        client(api.url, door.owner.token) as http,
    ):
        assert [(await http.get("/users/me")).status_code for _ in range(3)] == [200] * 3


async def test_pages_of_other_sites_are_shut_out_unless_they_are_named(settings: Settings, door: Door):
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    async with httpx2.AsyncClient(base_url=door.served.url) as http:
        closed = await http.options("/api/v2/chats", headers=headers)
        assert closed.status_code == 405
        assert "access-control-allow-origin" not in closed.headers
    async with (
        api_with(settings, allowed_origins=[PAGE]) as api,
        httpx2.AsyncClient(base_url=api.url) as http,
    ):
        asked = {**headers, "Access-Control-Request-Headers": "authorization, idempotency-key"}
        allowed = await http.options("/api/v2/chats", headers=asked)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == PAGE
        assert "POST" in allowed.headers["access-control-allow-methods"]
        other = await http.options("/api/v2/chats", headers={**headers, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        unauthorized = await http.get("/api/v2/chats", headers={"Origin": PAGE})
        assert unauthorized.status_code == 401
        assert unauthorized.headers["access-control-allow-origin"] == PAGE, "the page can read its errors"


async def test_a_cookie_is_a_token(door: Door):
    async with httpx2.AsyncClient(
        base_url=f"{door.served.url}/api/v2", cookies={COOKIE: door.owner.token}
    ) as http:
        assert (await http.get("/users/me")).json()["id"] == str(door.owner.caller.user_id)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": "SELF"}, 201),
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "SELF"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example", "Authorization": "TOKEN"}, 201),
    ],
)
async def test_a_cookie_changes_things_for_our_own_pages_only(
    door: Door, headers: dict[str, str], status: int
):
    real = {"SELF": door.served.url, "TOKEN": f"Bearer {door.owner.token}"}
    sent = {name: real.get(value, value) for name, value in headers.items()}
    body = {"organization_id": str(door.organization), "content": text("hi")}
    async with httpx2.AsyncClient(
        base_url=f"{door.served.url}/api/v2", cookies={COOKIE: door.owner.token}
    ) as http:
        before = len((await http.get("/chats")).json())
        assert (await http.post("/chats", json=body, headers=sent)).status_code == status
        assert len((await http.get("/chats")).json()) == before + (status == 201)


async def test_an_allowed_page_may_use_the_cookie(settings: Settings, door: Door):
    async with (
        api_with(settings, allowed_origins=[PAGE]) as api,
        httpx2.AsyncClient(base_url=f"{api.url}/api/v2", cookies={COOKIE: door.owner.token}) as http,
    ):
        headers = {"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}
        changed = await http.patch("/users/me", json={"name": "Ada"}, headers=headers)
        assert changed.status_code == 200


@pytest.mark.parametrize(("origin", "let_in"), [("https://evil.example", False), ("SELF", True)])
async def test_a_socket_with_a_cookie_is_opened_by_our_own_pages_only(door: Door, origin: str, let_in: bool):
    chat = await door.create()
    url = f"{door.served.url.replace('http', 'ws')}/api/v2/chats/{chat['id']}/stream"
    headers = {
        "Cookie": f"{COOKIE}={door.owner.token}",
        "Origin": door.served.url if origin == "SELF" else origin,
    }
    if let_in:
        async with websockets.connect(url, additional_headers=headers) as socket:
            assert await socket.recv()
    else:
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with websockets.connect(url, additional_headers=headers):
                pass
        assert refused.value.response.status_code == 403


async def test_every_answer_has_the_headers_that_protect_it(door: Door):
    async with httpx2.AsyncClient(base_url=door.served.url) as http:
        for path in ("/healthz", "/api/v2/chats", "/nothing", "/docs"):
            answer = await http.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["x-frame-options"] == "DENY", path
            assert answer.headers["referrer-policy"] == "no-referrer", path
            assert ("content-security-policy" in answer.headers) == path.startswith("/api/"), path
    answer = await door.owner.http.get("/users/me")
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers


async def _revoke(door: Door) -> None:
    await door.other.http.delete(f"/users/me/keys/tokens/{door.other.caller.token_id}")


async def _expire(door: Door) -> None:
    mine = api_tokens.c.id == door.other.caller.token_id
    async with door.engine.begin() as conn:
        await conn.execute(update(api_tokens).where(mine).values(expires_at=api_tokens.c.created_at))


async def _suspend(door: Door) -> None:
    async with door.engine.begin() as conn:
        await conn.execute(
            update(users).where(users.c.id == door.other.caller.user_id).values(status="suspended")
        )


async def _unshare(door: Door) -> None:
    async with door.engine.begin() as conn:
        await conn.execute(
            delete(chat_user_readers).where(chat_user_readers.c.user_id == door.other.caller.user_id)
        )


async def _leave(door: Door) -> None:
    async with door.engine.begin() as conn:
        await conn.execute(delete(memberships).where(memberships.c.user_id == door.other.caller.user_id))


@pytest.mark.parametrize("lose", [_revoke, _expire, _suspend, _unshare, _leave])
async def test_an_open_stream_ends_with_the_right_to_read_it(door: Door, lose: Any):
    chat = await door.create()
    await share(door.engine, chat["id"], door.other.caller.user_id)
    url = f"{door.served.url.replace('http', 'ws')}/api/v2/chats/{chat['id']}/stream"
    headers = {"Coder-Session-Token": door.other.token}
    async with sse(door, chat) as owner, sse(door, chat, who=door.other) as reader:
        async with websockets.connect(url, additional_headers=headers) as socket:
            await socket.recv()
            await owner.until("status")
            await reader.until("status")
            await lose(door)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await socket.wait_closed()
                await reader.over.wait()
            assert socket.close_code == 1008
        assert not owner.over.is_set(), "others read on"


async def test_a_watched_list_ends_with_the_token(door: Door):
    url = f"{door.served.url.replace('http', 'ws')}/api/v2/chats/watch"
    headers = {"Coder-Session-Token": door.other.token}
    async with websockets.connect(url, additional_headers=headers) as socket:
        await _revoke(door)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await socket.wait_closed()
        assert socket.close_code == 1008


async def test_all_open_streams_of_a_process_are_checked_with_one_query(door: Door):
    services = door.served.app.state.services
    chats = [await door.create() for _ in range(3)]
    asked: list[str] = []
    here = asyncio.current_task()  # the API checks by itself all the while

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "unnest" in statement and "token_id" in statement and asyncio.current_task() is here:
            asked.append(statement)

    async with sse(door, chats[0]) as one, sse(door, chats[1]) as two, sse(door, chats[2]) as three:
        for reader in (one, two, three):
            await reader.until("status")
        event.listen(services.engine.sync_engine, "before_cursor_execute", note)
        try:
            await services.guard.check()
        finally:
            event.remove(services.engine.sync_engine, "before_cursor_execute", note)
    assert len(asked) == 1
