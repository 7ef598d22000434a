import pytest

from cli.administration.models import provider_and_model
from cli.errors import CommandError


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("anthropic:claude-x", ("anthropic", "claude-x")),
        ("mine:claude-x", ("mine", "claude-x")),  # a name somebody has given to a provider
        ("claude-eu:sonnet", ("claude-eu", "sonnet")),
        ("openrouter/anthropic/claude-x", ("openrouter", "anthropic/claude-x")),
        ("gpt-5", ("openai", "gpt-5")),
    ],
)
def test_the_provider_is_in_front_or_told_by_the_name(written: str, expected: tuple[str, str]):
    assert provider_and_model(written) == expected


@pytest.mark.parametrize("written", ["llama3", "mine:", ":claude-x", " "])
def test_without_a_provider_it_is_said_how_to_name_one(written: str):
    with pytest.raises(CommandError, match="provider in front|printable"):
        provider_and_model(written)
