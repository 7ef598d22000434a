"""Requests that nobody would think of, made from the API's own description against a running stack."""

import asyncio
import json
import sys
from pathlib import Path

import httpx2
import pytest

from cli.stack import Stack
from tests.activities.providers.request_rules.checked import CheckedModel
from tests.durable.processes import whole_perdure

OWNER_SECONDS, MEMBER_SECONDS = 40, 20
"""A minute in all: as the owner of the site, who may ask for everything, and as one who may not."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ENDLESS = ("streamChat", "watchChats", "watchInboxNotifications")
"""Streams go on until somebody hangs up; they have tests of their own."""


@pytest.mark.timeout(OWNER_SECONDS + MEMBER_SECONDS + 150)
async def test_no_request_makes_the_api_fail_or_answer_otherwise_than_it_says(tmp_path: Path):
    async with CheckedModel() as model, Stack(whole_perdure(tmp_path, model.base_url)) as stack:
        assert stack.token is not None
        member = await token_of_a_member(stack)
        # the owner comes last: who may change models leaves nothing that works for others
        for token, seconds in ((member, MEMBER_SECONDS), (stack.token, OWNER_SECONDS)):
            known = await known_ids(stack, token)
            await fuzz(stack, token, known, seconds, tmp_path)
            made, said = await what_came_of_it(stack, token, known["chat"])
            assert made > 1, "no request has made a chat"
            assert said > 2, "no request has said something in one"
        model.check()


async def fuzz(stack: Stack, token: str, known: dict[str, str], seconds: int, directory: Path) -> None:
    """Ask for everything for so long, with this token."""
    environment = {
        **stack.environment,
        "PYTHONPATH": str(Path(__file__).parent),
        "SCHEMATHESIS_HOOKS": "known_ids",
        "KNOWN_IDS": json.dumps(known),
    }
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{stack.api_url}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}"),
        *("--checks", ",".join(CHECKS)),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-time", str(seconds), "--seed", "7", "--no-color"),
        *(word for name in ENDLESS for word in ("--exclude-operation-id", name)),
    ]
    fuzzing = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await fuzzing.communicate()
    assert fuzzing.returncode == 0, told.decode()


def asking(stack: Stack, token: str) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.AsyncClient(base_url=f"{stack.api_url}/api/v2", headers=headers, timeout=30)


async def token_of_a_member(stack: Stack) -> str:
    """A token of somebody who administers nothing, in the organization of the first user."""
    async with asking(stack, stack.token or "") as http:
        organizations = (await http.get("/users/me")).json()["organization_ids"]
        body = {"username": "somebody", "organization_ids": organizations}
        user = (await http.post("/users", json=body)).json()["id"]
        return (await http.post(f"/users/{user}/keys/tokens", json={})).json()["key"]


async def known_ids(stack: Stack, token: str) -> dict[str, str]:
    """Ids of what there is, by the names that the routes have for them."""
    async with asking(stack, token) as http:
        organization = (await http.get("/users/me")).json()["organization_ids"][0]
        body = {"organization_id": organization, "content": [{"type": "text", "text": "hello"}]}
        made = await http.post("/chats", json=body)
        assert made.status_code == 201, made.text
        chat = made.json()
    return {
        "chat": chat["id"],
        "organization": organization,
        "organization_id": organization,
        "model_config": chat["last_model_config_id"],
        "model_config_id": chat["last_model_config_id"],
    }


async def what_came_of_it(stack: Stack, token: str, chat: str) -> tuple[int, int]:
    """How many chats there are, and messages in the one that the requests knew."""
    async with asking(stack, token) as http:
        archived, others = [
            (await http.get("/chats", params={"q": f"archived:{which}"})).json()
            for which in ("true", "false")
        ]
        said = await http.get(f"/chats/{chat}/messages")
        assert said.status_code == 200, said.text
    return len(archived) + len(others), len(said.json()["messages"])
