"""People, models and providers through the typed client."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest

from cli.stack import Stack
from perdure.client import BadRequest, Conflict, Forbidden, NotAuthenticated, NotFound, Perdure, User
from tests.activities.providers.request_rules.checked import CheckedModel


def name(kind: str) -> str:
    return f"{kind}-{uuid4().hex[:8]}"


@pytest.fixture
async def home(perdure: Perdure) -> str:
    return (await perdure.me()).organization_ids[0]


@pytest.fixture
async def ada(perdure: Perdure, home: str) -> User:
    return await perdure.users.create(name("ada"), name="Ada Lovelace", organization_ids=[home])


@pytest.fixture
async def hers(perdure: Perdure, whole: Stack, ada: User) -> AsyncGenerator[Perdure]:
    """A client with a token of Ada's."""
    token = await perdure.tokens.create("hers", user=ada.id)
    async with Perdure(whole.api_url, token.key) as client:
        yield client


async def test_a_user_is_made_found_changed_and_sent_away(perdure: Perdure, ada: User, hers: Perdure):
    assert (await hers.me()).id == ada.id
    assert [user.id async for user in perdure.users.list(search=ada.username)] == [ada.id]
    changed = await perdure.users.edit(ada.username, name="Countess", email=f"{ada.username}@example.com")
    assert (changed.name, changed.email) == ("Countess", f"{ada.username}@example.com")
    assert (await perdure.users.get(ada.id)).name == "Countess"
    assert (await perdure.users.make_site_owner(ada.id)).roles[0].name == "owner"
    assert (await perdure.users.make_site_owner(ada.id, owner=False)).roles == []
    assert (await perdure.users.suspend(ada.id)).status == "suspended"
    with pytest.raises(NotAuthenticated):
        await hers.me()
    assert (await perdure.users.activate(ada.id)).status == "active"
    assert (await hers.me()).username == ada.username


async def test_users_are_listed_over_pages(perdure: Perdure, home: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("perdure.client.users._PAGE", 2)
    made = {(await perdure.users.create(name("page"), organization_ids=[home])).id for _ in range(5)}
    found = [user.id async for user in perdure.users.list(search="page-")]
    assert made <= set(found)
    assert len(found) == len(set(found))


async def test_a_token_is_made_listed_and_revoked(perdure: Perdure, whole: Stack):
    made = await perdure.tokens.create("some", scopes=["chat:read"], lifetime_seconds=3600)
    assert made.expires_at is not None
    async with Perdure(whole.api_url, made.key) as limited:
        with pytest.raises(NotFound):
            await limited.chats.get(str(uuid4()))  # it may ask
        with pytest.raises(Forbidden):
            await limited.tokens.list()
    listed = {token.id: token for token in await perdure.tokens.list()}
    assert (listed[made.id].token_name, listed[made.id].scopes) == ("some", ["chat:read"])
    assert "key" not in listed[made.id].to_json()
    await perdure.tokens.revoke(made.id)
    assert made.id not in {token.id for token in await perdure.tokens.list()}
    with pytest.raises(NotFound):
        await perdure.tokens.revoke(made.id)


async def test_organizations_members_and_groups(perdure: Perdure, ada: User, home: str):
    made = await perdure.organizations.create(name("org"), display_name="Research")
    assert made.id in {one.id async for one in perdure.organizations.list()}
    assert (await perdure.organizations.get(made.name)).display_name == "Research"
    edited = await perdure.organizations.edit(made.id, display_name="Search")
    assert edited.display_name == "Search"
    with pytest.raises(Conflict):
        await perdure.organizations.create(made.name)

    member = await perdure.organizations.add_member(made.id, ada.id, role="auditor")
    assert (member.user_id, member.role) == (ada.id, "auditor")
    assert (await perdure.organizations.set_role(made.id, ada.username, "admin")).role == "admin"
    assert (await perdure.organizations.member(made.id, ada.id)).role == "admin"
    found = [one.username async for one in perdure.organizations.members(made.id, search=ada.username)]
    assert found == [ada.username]

    group = await perdure.organizations.create_group(made.id, "reviewers")
    assert [one.id async for one in perdure.organizations.groups(made.id)] == [group.id]
    filled = await perdure.groups.edit(group.id, add=[ada.id], display_name="Reviewers")
    assert [one.username for one in filled.members] == [ada.username]
    assert (await perdure.groups.get(group.id)).total_member_count == 1
    assert (await perdure.groups.edit(group.id, remove=[ada.id])).members == []
    await perdure.groups.delete(group.id)
    with pytest.raises(NotFound):
        await perdure.groups.get(group.id)
    await perdure.organizations.remove_member(made.id, ada.id)
    with pytest.raises(NotFound):
        await perdure.organizations.member(made.id, ada.id)


async def test_a_chat_is_shared_read_by_others_and_shared_no_more(
    perdure: Perdure, ada: User, hers: Perdure, home: str
):
    chat = await perdure.chats.create("hello")
    await chat.wait()
    with pytest.raises(NotFound):
        await hers.chats.get(chat.id)
    await chat.share(users=[ada.id])
    assert [reader.id for reader in (await chat.acl()).users] == [ada.id]
    assert (await hers.chats.get(chat.id)).shared
    await chat.unshare(users=[ada.id])
    with pytest.raises(NotFound):
        await hers.chats.get(chat.id)
    group = await perdure.organizations.create_group(home, name("readers"))
    await perdure.groups.edit(group.id, add=[ada.id])
    await chat.share(groups=[group.id])
    assert [one.name for one in (await chat.acl()).groups] == [group.name]
    assert (await hers.chats.get(chat.id)).id == chat.id
    with pytest.raises(BadRequest):
        await chat.share(users=[str(uuid4())])


async def test_a_provider_and_its_model_are_added_checked_changed_and_removed(
    perdure: Perdure, model: CheckedModel, ada: User, hers: Perdure
):
    called = name("mine")
    user_keys = {"allow_user_api_key": True, "allow_central_api_key_fallback": True}
    provider = await perdure.providers.create(
        "anthropic", called, api_key="sk-a-key", base_url=model.base_url, **user_keys
    )
    assert (provider.name, provider.has_api_key, provider.api_key_source) == (called, True, "stored")
    assert provider.id in {one.id for one in await perdure.providers.list()}
    assert (await perdure.providers.edit(provider.id, display_name="Mine")).display_name == "Mine"

    limits = {"max_output_tokens": 100}
    made = await perdure.models.create(provider.id, "perdure-demo", 9000, config=limits, display_name="D")
    assert made.config == limits
    assert made.to_json()["model_config"] == limits
    catalog = await perdure.models.list()
    assert made.id in {one.id for one in catalog.models}
    offered_by = catalog.provider_of(made)
    assert offered_by is not None
    assert offered_by.available
    assert (await perdure.models.edit(made.id, display_name="E")).display_name == "E"
    assert (await perdure.models.get(made.id)).display_name == "E"
    await perdure.models.share(made.id, users=[ada.id])
    assert [reader.id for reader in (await perdure.models.acl(made.id)).users] == [ada.id]

    report = await perdure.providers.check(provider.id)
    assert (report.ok, report.model, report.error) == (True, "perdure-demo", None)
    await perdure.providers.edit(provider.id, base_url="http://127.0.0.1:1")
    failed = await perdure.providers.check(provider.id)
    assert not failed.ok
    assert failed.error is not None

    await hers.providers.put_key(provider.id, "sk-her-own")
    keys = {one.provider.id: one for one in await hers.providers.keys()}
    assert keys[provider.id].has_user_api_key
    await hers.providers.delete_key(provider.id)
    with pytest.raises(Forbidden):
        await hers.providers.list()

    await perdure.models.delete(made.id)
    with pytest.raises(NotFound):
        await perdure.models.get(made.id)
    await perdure.providers.delete(provider.id)
    with pytest.raises(NotFound):
        await perdure.providers.get(provider.id)
