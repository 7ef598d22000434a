"""A whole stack with the demo model, for the examples of the pages, and how an example is run."""

import ast
import inspect
import os
import re
import textwrap
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from cli.stack import Stack, StackOptions
from cli.stack.ports import DEFAULTS

PAGES = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="package")
async def stack_with_model(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack]:
    foreign = ("PERDURE_", "ANTHROPIC_", "OPENAI_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    data_dir = tmp_path_factory.mktemp("examples")
    options = StackOptions(data_dir=data_dir, ports=dict.fromkeys(DEFAULTS, 0), environment=environment)
    async with Stack(options) as stack:
        yield stack


def examples_of(page: str) -> list[str]:
    """The Python examples of a page, in their order."""
    return re.findall(r"^```python\n(.*?)^```$", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)


async def run(example: str, stack: Stack, **given: Any) -> None:
    """Run an example, which may await, with `url` and `token` and what else is given."""
    code = compile(textwrap.dedent(example), "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, {"url": stack.api_url, "token": stack.token, **given})
    if inspect.isawaitable(running):
        await running
