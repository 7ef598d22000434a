"""`perdure users` and `perdure tokens`, as processes against a whole stack."""

import json
from uuid import uuid4

import pytest

from tests.e2e.conftest import Perdure


async def test_a_user_is_added_works_with_a_token_of_their_own_and_is_suspended(perdure: Perdure):
    name = f"ada-{uuid4().hex[:6]}"
    added = await perdure("users", "add", name, "--name", "Ada Lovelace", "--make-token", "--json")
    assert added.code == 0, added.err
    user = json.loads(added.out)
    listed = await perdure("users", "list", "--search", name)
    assert listed.out.startswith("USERNAME  ")
    assert "Ada Lovelace" in listed.out
    own = await perdure("tokens", "list", "--json", "--token", user["token"])
    assert [token["token_name"] for token in json.loads(own.out)] == ["first"]
    promoted = await perdure("users", "role", name, "auditor")
    assert promoted.out == f"{name} is auditor now.\n"
    suspended = await perdure("users", "suspend", name)
    assert suspended.out == f"{name} is suspended.\n"
    refused = await perdure("chats", "--token", user["token"])
    assert refused.code == 1
    assert "valid token" in refused.err
    assert (await perdure("users", "activate", name)).out == f"{name} is active.\n"
    assert (await perdure("chats", "--token", user["token"])).code == 0


async def test_a_token_is_created_for_some_things_and_revoked(perdure: Perdure):
    made = await perdure("tokens", "create", "reader", "--scope", "chat:read", "--days", "2")
    secret = made.out.strip()
    assert secret.startswith("perdure_"), made.err
    assert (await perdure("chats", "--json", "--token", secret)).code == 0
    refused = await perdure("users", "list", "--token", secret)
    assert refused.code == 1
    assert "account:read" in refused.err
    tokens = json.loads((await perdure("tokens", "list", "--json")).out)
    (reader,) = [token for token in tokens if token["token_name"] == "reader"]
    assert (await perdure("tokens", "revoke", reader["id"])).out == "Revoked.\n"
    assert (await perdure("chats", "--token", secret)).code == 1
    table = await perdure("tokens", "list")
    assert table.out.splitlines()[0].split()[:3] == ["ID", "NAME", "SCOPES"]
    assert "first start" in table.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("users", "suspend", "nobody-there"), "no such user"),
        (("users", "suspend", "me"), "cannot suspend yourself"),
        (("users", "add", "a b"), "username"),
        (("tokens", "create", "x", "--scope", "moon"), "scopes"),
        (("tokens", "revoke", str(uuid4())), "no such token"),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(
    perdure: Perdure, arguments: tuple[str, ...], said: str
):
    ended = await perdure(*arguments)
    assert ended.code == 1
    assert said in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["users", "tokens"])
async def test_help_has_examples(perdure: Perdure, command: str):
    general = await perdure(command, "--help")
    for word in ("list", "create" if command == "tokens" else "add"):
        assert word in general.out
        assert "Example" in (await perdure(command, word, "--help")).out
