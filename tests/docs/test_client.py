"""The page of the client says what works: its examples are run against a whole stack."""

import ast
import inspect
import os
import re
import textwrap
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from activities.providers.demo import script_block
from cli.stack import Stack, StackOptions
from cli.stack.ports import DEFAULTS

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)

CALL_PRICE = script_block(
    {"tools": [{"name": "price", "input": {"item": "tea", "pieces": 2}}]}, {"text": "Five euros."}
)

SHOWN = ["The tool answered", "[assistant", "Five euros.", "The tool answered", "ada perdure_", "404"]
"""What each example prints among other things."""


@pytest.fixture(scope="module")
async def stack_with_model(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack]:
    foreign = ("PERDURE_", "ANTHROPIC_", "OPENAI_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    data_dir = tmp_path_factory.mktemp("examples")
    options = StackOptions(data_dir=data_dir, ports=dict.fromkeys(DEFAULTS, 0), environment=environment)
    async with Stack(options) as stack:
        yield stack


@pytest.mark.parametrize(("example", "shown"), list(zip(EXAMPLES, SHOWN, strict=True)))
async def test_an_example_runs(
    stack_with_model: Stack, example: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {
        "url": stack_with_model.api_url,
        "token": stack_with_model.token,
        "call_price": CALL_PRICE,
    }
    code = compile(textwrap.dedent(example), str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, given)
    if inspect.isawaitable(running):
        await running
    assert shown in capsys.readouterr().out
