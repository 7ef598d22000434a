"""Signing in through an OpenID provider, with a real one, real signatures and a browser's cookies."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select, update

from api.auth.cookies import COOKIE
from api.sign_in.attempt import own_path
from models.permissions import Role
from models.store.tables import organizations, users
from models.store.users import NewUser, create_user
from runtime.settings import Settings
from tests.api.conftest import Door
from tests.api.served import Served, served
from tests.api.sign_in.provider import CLIENT_ID, CLIENT_SECRET, Claims, Provider, new_key, openid_provider

LOGIN, CALLBACK = "/api/v2/users/oidc/login", "/api/v2/users/oidc/callback"


@dataclass
class SignIn:
    """An API that knows a provider, and the settings it runs with."""

    api: Served
    provider: Provider
    settings: Settings
    door: Door

    def browser(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.api.url, follow_redirects=False, timeout=20)

    async def come_back(self, browser: httpx2.AsyncClient, target: str = "/") -> httpx2.Response:
        """Sign in, up to the answer to the redirect from the provider."""
        to_provider = await browser.get(LOGIN, params={"redirect": target})
        assert to_provider.status_code == 303, to_provider.text
        back = await browser.get(to_provider.headers["location"])
        return await browser.get(back.headers["location"])


@pytest.fixture
async def sign_in(settings: Settings, door: Door) -> AsyncGenerator[SignIn]:
    organization = f"o-{uuid4().hex[:8]}"
    async with door.engine.begin() as conn:
        await conn.execute(insert(organizations).values(id=uuid4(), name=organization))
    async with openid_provider() as provider:
        with_provider = settings.model_copy(
            update={
                "oidc_issuer_url": provider.url,
                "oidc_client_id": CLIENT_ID,
                "oidc_client_secret": SecretStr(CLIENT_SECRET),
                "oidc_organization": organization,
            }
        )
        async with served(with_provider) as api:
            yield SignIn(api, provider, with_provider, door)


async def me(browser: httpx2.AsyncClient) -> Any:
    answer = await browser.get("/api/v2/users/me")
    return answer.json() if answer.status_code == 200 else None


async def test_it_is_off_unless_configured(door: Door):
    async with httpx2.AsyncClient(base_url=door.served.url) as http:
        for path in (LOGIN, CALLBACK):
            assert (await http.get(path)).status_code == 404
        assert (await http.get("/api/v2/users/authmethods")).json()["oidc"] == {"enabled": False}


async def test_the_first_sign_in_makes_a_user_and_later_ones_find_it(sign_in: SignIn):
    name = f"grace-{uuid4().hex[:6]}"
    sign_in.provider.person |= {
        "preferred_username": f"{name}@example.com",
        "name": "Grace Hopper",
        "email": f"{name}@example.com",
        "email_verified": True,
    }
    async with sign_in.browser() as browser:
        assert (await browser.get("/api/v2/users/authmethods")).json()["oidc"] == {"enabled": True}
        done = await sign_in.come_back(browser, "/chats?tab=1")
        assert (done.status_code, done.headers["location"]) == (303, "/chats?tab=1")
        user = await me(browser)
        assert (user["username"], user["name"], user["email"]) == (
            name,
            "Grace Hopper",
            f"{name}@example.com",
        )
        assert len(user["organization_ids"]) == 1
    async with sign_in.browser() as other_browser:
        sign_in.provider.person |= {"preferred_username": "renamed", "email": "new@example.com"}
        assert (await sign_in.come_back(other_browser)).status_code == 303
        assert (await me(other_browser))["id"] == user["id"], "the subject decides, not the name"


async def test_the_session_is_a_cookie_that_scripts_cannot_read_and_a_token_that_expires(sign_in: SignIn):
    async with sign_in.browser() as browser:
        done = await sign_in.come_back(browser)
        cookies = {line.partition("=")[0]: line.lower() for line in done.headers.get_list("set-cookie")}
        session = cookies[COOKIE]
        assert "httponly" in session
        assert "samesite=lax" in session
        assert "path=/" in session
        assert "secure" not in session, "this API is reached by plain HTTP"
        (token,) = (await browser.get("/api/v2/users/me/keys/tokens")).json()
        assert (token["kind"], token["expires_at"] is None) == ("session", False)


async def test_signing_out_ends_the_session(sign_in: SignIn):
    async with sign_in.browser() as browser:
        await sign_in.come_back(browser)
        kept = dict(browser.cookies)
        refused = await browser.post("/api/v2/users/logout")
        assert refused.status_code == 403, "no page of ours asks for it"
        own = {"Sec-Fetch-Site": "same-origin"}
        assert (await browser.post("/api/v2/users/logout", headers=own)).status_code == 204
        assert COOKIE not in browser.cookies
    async with httpx2.AsyncClient(base_url=sign_in.api.url, cookies=kept) as thief:
        assert await me(thief) is None


async def test_a_token_made_on_purpose_outlives_signing_out(sign_in: SignIn):
    http = sign_in.door.owner.http
    assert (await http.post(f"{sign_in.api.url}/api/v2/users/logout")).status_code == 204
    assert (await http.get("/users/me")).status_code == 200


WRONG: dict[str, Claims] = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "another-client"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "expired": {"exp": 1_700_000_000},
    "no end": {"exp": None},
    "nobody": {"sub": None},
    "for another party": {"aud": [CLIENT_ID, "other"], "azp": "other"},
}
"""What is changed about an ID token; None: the claim is left out."""


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_id_token_lets_nobody_in(sign_in: SignIn, wrong: str):
    sign_in.provider.person |= WRONG[wrong]
    async with sign_in.browser() as browser:
        refused = await sign_in.come_back(browser)
        assert refused.status_code == 400, refused.text
        assert await me(browser) is None


async def test_a_token_that_the_provider_has_not_signed_lets_nobody_in(sign_in: SignIn):
    honest, forged = sign_in.provider.sign, new_key()
    async with sign_in.browser() as browser:
        sign_in.provider.sign, sign_in.provider.published = forged, [honest]
        assert (await sign_in.come_back(browser)).status_code == 400
        assert await me(browser) is None


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
async def test_what_anybody_can_sign_lets_nobody_in(sign_in: SignIn, algorithm: str):
    # HS256 with the published key for a secret; the provider even says that it signs so
    sign_in.provider.algorithm = algorithm
    async with sign_in.browser() as browser:
        assert (await sign_in.come_back(browser)).status_code == 400
        assert await me(browser) is None


async def test_a_provider_may_change_its_keys(sign_in: SignIn):
    async with sign_in.browser() as browser:
        assert (await sign_in.come_back(browser)).status_code == 303
        sign_in.provider.sign = new_key()
        sign_in.provider.published = [sign_in.provider.sign]
        assert (await sign_in.come_back(browser)).status_code == 303


async def test_a_redirect_counts_only_in_the_browser_that_began(sign_in: SignIn):
    async with sign_in.browser() as victim, sign_in.browser() as attacker:
        to_provider = await attacker.get(LOGIN)
        back = (await attacker.get(to_provider.headers["location"])).headers["location"]
        assert (await victim.get(back)).status_code == 400, "it has begun nothing"
        await victim.get(LOGIN)
        assert (await victim.get(back)).status_code == 400, "it has begun something else"
        assert await me(victim) is None
        assert (await attacker.get(back)).status_code == 303
        assert (await attacker.get(back)).status_code == 400, "once"


async def test_who_the_provider_refuses_stays_outside(sign_in: SignIn):
    async with sign_in.browser() as browser:
        url = httpx2.URL((await browser.get(LOGIN)).headers["location"])
        answer = await browser.get(CALLBACK, params={"error": "access_denied", "state": url.params["state"]})
        assert answer.status_code == 403


async def test_a_user_whom_an_administrator_made_is_found_by_a_verified_address(sign_in: SignIn):
    address = f"{uuid4().hex}@example.com"
    made = await create_user(
        sign_in.door.engine,
        NewUser(uuid4().hex, email=address, memberships=((sign_in.door.organization, Role.MEMBER),)),
    )
    sign_in.provider.person |= {"email": address.upper(), "email_verified": False}
    async with sign_in.browser() as browser:
        assert (await sign_in.come_back(browser)).status_code == 303
        assert (await me(browser))["id"] != str(made.id), "anybody can claim an address"
    sign_in.provider.person = {"sub": uuid4().hex, "email": address.upper(), "email_verified": True}
    async with sign_in.browser() as browser:
        assert (await sign_in.come_back(browser)).status_code == 303
        assert (await me(browser))["id"] == str(made.id)
    sign_in.provider.person = {"sub": uuid4().hex, "email": address, "email_verified": True}
    async with sign_in.browser() as browser:
        assert (await sign_in.come_back(browser)).status_code == 303
        assert (await me(browser))["id"] != str(made.id), "the user has an identity already"


async def test_a_suspended_user_cannot_sign_in(sign_in: SignIn):
    async with sign_in.browser() as browser:
        await sign_in.come_back(browser)
        user = await me(browser)
        async with sign_in.door.engine.begin() as conn:
            await conn.execute(
                update(users).where(users.c.username == user["username"]).values(status="suspended")
            )
        assert (await sign_in.come_back(browser)).status_code == 403


@pytest.mark.parametrize(
    ("changes", "claims", "status"),
    [
        ({"oidc_create_users": False}, {}, 403),
        ({"oidc_email_domains": ["example.com"]}, {}, 403),
        ({"oidc_email_domains": ["example.com"]}, {"email": "EMAIL", "email_verified": False}, 403),
        ({"oidc_email_domains": ["other.com"]}, {"email": "EMAIL", "email_verified": True}, 403),
        ({"oidc_email_domains": ["Example.com"]}, {"email": "EMAIL", "email_verified": True}, 303),
    ],
)
async def test_who_may_become_a_user_is_a_setting(
    sign_in: SignIn, changes: dict[str, Any], claims: Claims, status: int
):
    address = f"{uuid4().hex}@example.com"
    sign_in.provider.person |= {
        name: address if value == "EMAIL" else value for name, value in claims.items()
    }
    async with served(sign_in.settings.model_copy(update=changes)) as api:
        strict = SignIn(api, sign_in.provider, sign_in.settings, sign_in.door)
        async with strict.browser() as browser:
            assert (await strict.come_back(browser)).status_code == status
            assert (await me(browser) is None) == (status == 403)
    async with sign_in.door.engine.connect() as conn:
        made = await conn.scalar(select(users.c.id).where(users.c.email == address))
    assert (made is None) == (status == 403)


async def test_behind_https_the_cookies_are_for_https_only(sign_in: SignIn):
    public = sign_in.settings.model_copy(update={"public_url": "https://chat.example.com"})
    async with served(public) as api, httpx2.AsyncClient(base_url=api.url) as browser:
        begun = await browser.get(LOGIN)
        assert "secure" in begun.headers["set-cookie"].lower()
        url = httpx2.URL(begun.headers["location"])
        assert url.params["redirect_uri"] == f"https://chat.example.com{CALLBACK}"


@pytest.mark.parametrize(
    ("issuer", "status"),
    [("http://127.0.0.1:1", 503), (None, 503)],
)
async def test_a_provider_that_is_away_or_another_one_is_not_followed(
    sign_in: SignIn, issuer: str | None, status: int
):
    if issuer is None:
        sign_in.provider.issuer = "https://somebody.else"
    changed = sign_in.settings.model_copy(update={"oidc_issuer_url": issuer or sign_in.provider.url})
    async with served(changed) as api, httpx2.AsyncClient(base_url=api.url) as browser:
        assert (await browser.get(LOGIN)).status_code == status


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/chats/1?x=y#z", "/chats/1?x=y#z"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/a\nb", "/"),
    ],
)
def test_nobody_is_led_to_another_server(target: str, path: str):
    assert own_path(target) == path
