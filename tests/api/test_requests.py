"""What holds at every door: tokens, errors in one shape, request ids, probes, the OpenAPI document."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import pytest

from models.permissions import Role
from models.store.gateway_calls import NewCall, begin_call
from runtime.settings import Settings
from tests.api.conftest import Door
from tests.api.served import make_token, person, served, text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer perdure_wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
        {"Coder-Session-Token": "wrong"},
    ],
)
async def test_without_a_valid_token_nothing_is_shown(door: Door, headers: dict[str, str]):
    async with httpx2.AsyncClient(base_url=door.served.url, headers=headers) as http:
        for method, path in [
            ("GET", "/api/v2/chats"),
            ("POST", "/api/v2/chats"),
            ("GET", f"/api/v2/chats/{uuid4()}"),
            ("GET", f"/api/v2/chats/{uuid4()}/stream"),
        ]:
            response = await http.request(method, path, json={} if method == "POST" else None)
            assert response.status_code == 401, path
            assert response.json()["message"]
            assert response.headers["www-authenticate"] == "Bearer"


async def test_both_headers_carry_a_token(door: Door):
    for headers in (
        {"Coder-Session-Token": door.owner.token},
        {"authorization": f"bearer {door.owner.token}"},
    ):
        async with httpx2.AsyncClient(base_url=door.served.url, headers=headers) as http:
            assert (await http.get("/api/v2/chats")).status_code == 200


async def test_an_expired_token_is_none(door: Door):
    past = datetime.now(UTC) - timedelta(seconds=1)
    token = await make_token(door.engine, door.owner.caller.user_id, expires_at=past)
    async with httpx2.AsyncClient(base_url=door.served.url) as http:
        response = await http.get("/api/v2/chats", headers={"Coder-Session-Token": token})
    assert response.status_code == 401


@pytest.fixture
def in_tokyo(settings: Settings) -> Settings:
    """Of a process whose database is nine hours ahead."""
    url = settings.database_url
    zone = f"{'&' if '?' in url else '?'}options=-c%20timezone%3DAsia/Tokyo"
    return settings.model_copy(update={"database_url": f"{url}{zone}"})


@pytest.mark.parametrize(
    ("path", "rows"), [("/audit", "audit_logs"), ("/aibridge/interceptions", "interceptions")]
)
async def test_a_moment_without_a_zone_is_of_utc_wherever_the_database_is(
    door: Door, in_tokyo: Settings, path: str, rows: str
):
    ada = door.owner.caller
    call = NewCall(
        uuid4(), door.organization, ada.user_id, ada.token_id, uuid4(), "p", "m", "messages", False
    )
    await begin_call(door.engine, call)
    async with (
        served(in_tokyo) as api,
        person(door.engine, api.url, door.organization, "Eve", role=Role.ADMIN) as admin,
    ):
        organization = {"organization_id": str(door.organization)}
        await admin.http.put(
            f"/organizations/{door.organization}/budgets", json={"period": "day", "limit_micros": 1}
        )
        now = datetime.now(UTC).replace(tzinfo=None)
        for hours, found in ((1, 1), (-1, 0)):
            until = (now + timedelta(hours=hours)).isoformat()
            answer = await admin.http.get(path, params={**organization, "until": until})
            assert len(answer.json()[rows]) == found
            since = (now - timedelta(hours=hours)).isoformat()
            answer = await admin.http.get(path, params={**organization, "since": since})
            assert len(answer.json()[rows]) == found


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v2/nothing", 404),
        ("DELETE", "/api/v2/chats", 405),
        ("GET", "/api/v2/chats/not-a-uuid", 400),
        ("GET", "/api/v2/chats/5c2f0a1e-94d7-4a53-8f0b-6f1f4be1d3a7", 404),
        ("GET", "/api/v2/chats/5c2f0a1e-94d7-4a53-8f0b-6f1f4be1d3a7/messages", 404),
    ],
)
async def test_errors_have_one_shape(door: Door, method: str, path: str, status: int):
    response = await door.owner.http.request(method, f"{door.served.url}{path}")
    assert response.status_code == status
    assert set(response.json()) <= {"message", "detail", "validations", "request_id"}
    assert response.json()["message"]
    assert response.json()["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"content": [',
        b"\xff\xfe",
        b"[" * 50_000,
        b'"text"',
        b'{"organization_id": 1, "content": [{"type": "text", "text": "\\ud800"}]}',
        b'{"content": ' + b"9" * 5000 + b"}",
        b"",
    ],
)
async def test_malformed_bodies_are_the_callers_fault(door: Door, body: bytes):
    response = await door.owner.http.post(
        "/chats", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 400, response.text
    assert response.json()["message"]


async def test_a_lone_surrogate_is_named(door: Door):
    body = json.dumps({"organization_id": str(door.organization), "content": text("a \ud800")})
    response = await door.owner.http.post(
        "/chats", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 400
    assert response.json()["validations"][0]["field"] == "content[0].text"


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_cap_is_refused(door: Door, chunked: bool):
    def body(size: int) -> bytes:
        empty = json.dumps({"organization_id": str(door.organization), "content": text("")}).encode()
        return empty.replace(b'"text": ""', b'"text": "' + b"x" * (size - len(empty)) + b'"')

    async def post(content: bytes) -> httpx2.Response:
        async def pieces():
            for start in range(0, len(content), 60_000):
                yield content[start : start + 60_000]

        return await door.owner.http.post(
            "/chats",
            content=pieces() if chunked else content,
            headers={"Content-Type": "application/json"},
        )

    assert (await post(body(262_144))).status_code == 201
    refused = await post(body(262_145))
    assert refused.status_code == 413
    assert refused.json()["message"]


async def test_a_request_id_is_kept_or_made(door: Door):
    given = await door.owner.http.get("/chats", headers={"X-Request-Id": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    for unfit in ("", "a b", "x" * 200):
        made = await door.owner.http.get("/chats", headers={"X-Request-Id": unfit})
        assert made.headers["x-request-id"] not in ("", unfit)


async def test_readiness_names_what_is_missing(door: Door):
    async with httpx2.AsyncClient(base_url=door.served.url) as http:
        assert (await http.get("/healthz")).status_code == 200
        response = await http.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "parts": {
            "postgres": "ok",
            "redis": "ok",
            "temporal": "ok",
            "worker": "no worker polls the task queue",
        },
    }


async def test_with_everything_away_the_process_is_up_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    settings = Settings(
        database_url="postgresql://postgres@127.0.0.1:1/none", redis_url="redis://127.0.0.1:1"
    )
    async with served(settings) as lonely, httpx2.AsyncClient(base_url=lonely.url) as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        response = await http.get("/readyz")
        assert response.status_code == 503
        assert all(state != "ok" for state in response.json()["parts"].values())
        failed = await http.get("/api/v2/chats", headers={"Coder-Session-Token": "x"})
        assert failed.status_code == 503
        assert "retry-after" in failed.headers
        assert "127.0.0.1" not in failed.text


async def test_metrics_count_requests_by_route(door: Door):
    await door.owner.http.get(f"/chats/{uuid4()}")
    async with httpx2.AsyncClient(base_url=door.served.url) as http:
        body = (await http.get("/metrics")).text
    line = 'perdure_api_requests_total{method="GET",route="/chats/{chat}",status="404"}'
    assert line in body


async def test_what_nobody_foresaw_is_told_without_internals(door: Door, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise KeyError("secret detail")

    monkeypatch.setattr(door.served.app.state.services.callers, "find", broken)
    response = await door.owner.http.get("/chats", headers={"X-Request-Id": "r-1"})
    assert response.status_code == 500
    assert "r-1" in response.json()["detail"]
    assert "secret" not in response.text
