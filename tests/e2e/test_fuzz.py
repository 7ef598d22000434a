"""Requests that nobody would think of, made from the API's own description against a running stack."""

import asyncio
import json
import sys
from pathlib import Path

import httpx2
import pytest

from cli.stack import Stack
from tests.activities.providers.request_rules.checked import CheckedModel, broken_rules
from tests.durable.processes import whole_perdure

SECONDS = 60
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ENDLESS = ("streamChat", "watchChats", "watchInboxNotifications")
"""Streams go on until somebody hangs up; they have tests of their own."""


@pytest.mark.timeout(SECONDS + 120)
async def test_no_request_makes_the_api_fail_or_answer_otherwise_than_it_says(tmp_path: Path):
    async with CheckedModel() as model, Stack(whole_perdure(tmp_path, model.base_url)) as stack:
        known = await known_ids(stack)
        environment = {
            **stack.environment,
            "PYTHONPATH": str(Path(__file__).parent),
            "SCHEMATHESIS_HOOKS": "known_ids",
            "KNOWN_IDS": json.dumps(known),
        }
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{stack.api_url}/openapi.json"),
            *("--header", f"Authorization: Bearer {stack.token}"),
            *("--checks", ",".join(CHECKS)),
            *("--phases", "examples,coverage,fuzzing"),
            *("--max-time", str(SECONDS), "--seed", "7", "--no-color"),
            *(word for name in ENDLESS for word in ("--exclude-operation-id", name)),
        ]
        fuzzing = await asyncio.create_subprocess_exec(
            *command,
            cwd=tmp_path,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await fuzzing.communicate()
        assert fuzzing.returncode == 0, told.decode()
        made, said = await what_came_of_it(stack, known["chat"])
        assert made > 1, "no request has made a chat"
        assert said > 2, "no request has said something in one"
        # what comes through the gateway is as its caller wrote it
        ours = [request for request in model.requests if "x-coder-chat-id" in request.headers]
        assert ours
        assert [broken for request in ours if (broken := broken_rules(request.path, request.body))] == []


async def known_ids(stack: Stack) -> dict[str, str]:
    """Ids of what there is, by the names that the routes have for them."""
    headers = {"Authorization": f"Bearer {stack.token}"}
    async with httpx2.AsyncClient(base_url=f"{stack.api_url}/api/v2", headers=headers) as http:
        organization = (await http.get("/users/me")).json()["organization_ids"][0]
        body = {"organization_id": organization, "content": [{"type": "text", "text": "hello"}]}
        chat = (await http.post("/chats", json=body)).json()
    return {
        "chat": chat["id"],
        "organization": organization,
        "organization_id": organization,
        "model_config": chat["last_model_config_id"],
        "model_config_id": chat["last_model_config_id"],
    }


async def what_came_of_it(stack: Stack, chat: str) -> tuple[int, int]:
    """How many chats there are, and messages in the one that the requests knew."""
    headers = {"Authorization": f"Bearer {stack.token}"}
    async with httpx2.AsyncClient(base_url=f"{stack.api_url}/api/v2", headers=headers) as http:
        archived, others = [
            (await http.get("/chats", params={"q": f"archived:{which}"})).json()
            for which in ("true", "false")
        ]
        said = await http.get(f"/chats/{chat}/messages")
        assert said.status_code == 200, said.text
    return len(archived) + len(others), len(said.json()["messages"])
