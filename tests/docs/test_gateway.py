"""The page of the gateway says what works: its examples are run against a whole stack."""

import httpx2
import pytest

from cli.stack import Stack
from tests.docs.conftest import examples_of, run

SHOWN = ["assistant ", "demo", "messages completed {'input_tokens': "]
"""What each example prints among other things."""


@pytest.fixture(scope="module")
async def stack_with_openai(stack_with_model: Stack) -> Stack:
    """The demo model under its other protocol, too."""
    demo = stack_with_model.environment["PERDURE_DEMO_MODEL_URL"]
    provider = {"type": "openai", "name": "openai", "base_url": f"{demo}/v1", "api_key": "any"}
    headers = {"Authorization": f"Bearer {stack_with_model.token}"}
    async with httpx2.AsyncClient(base_url=f"{stack_with_model.api_url}/api/v2", headers=headers) as http:
        answer = await http.post("/ai-providers", json=provider)
        assert answer.status_code == 201, answer.text
    return stack_with_model


@pytest.mark.parametrize(("example", "shown"), list(zip(examples_of("gateway.md"), SHOWN, strict=True)))
async def test_an_example_runs(
    stack_with_openai: Stack, example: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(example, stack_with_openai)
    assert shown in capsys.readouterr().out
