"""The page of the client says what works: its examples are run against a whole stack."""

import pytest

from activities.providers.demo import script_block
from cli.stack import Stack
from tests.docs.conftest import examples_of, run

CALL_PRICE = script_block(
    {"tools": [{"name": "price", "input": {"item": "tea", "pieces": 2}}]}, {"text": "Five euros."}
)

SHOWN = ["The tool answered", "[assistant", "Five euros.", "The tool answered", "ada perdure_", "404"]
"""What each example prints among other things."""


@pytest.mark.parametrize(("example", "shown"), list(zip(examples_of("client.md"), SHOWN, strict=True)))
async def test_an_example_runs(
    stack_with_model: Stack, example: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(example, stack_with_model, call_price=CALL_PRICE)
    assert shown in capsys.readouterr().out
