import pytest

from models.model_references import ModelReference, parse_model_reference
from models.providers import ProviderType


@pytest.mark.parametrize(
    ("written", "provider", "model"),
    [
        ("openrouter:x/y", ProviderType.OPENROUTER, "x/y"),
        ("openrouter/anthropic/claude-x", ProviderType.OPENROUTER, "anthropic/claude-x"),
        (" Anthropic : claude-x ", ProviderType.ANTHROPIC, "claude-x"),
        ("gpt-5", ProviderType.OPENAI, "gpt-5"),
        ("chatgpt-4o-latest", ProviderType.OPENAI, "chatgpt-4o-latest"),
        ("o3-mini", ProviderType.OPENAI, "o3-mini"),
        ("CLAUDE-x", ProviderType.ANTHROPIC, "CLAUDE-x"),
        ("gemini-2.5-flash", ProviderType.GOOGLE, "gemini-2.5-flash"),
        ("gemma-3", ProviderType.GOOGLE, "gemma-3"),
        ("llama3:8b", None, "llama3:8b"),
        ("anthropic:", None, "anthropic:"),
    ],
)
def test_a_known_provider_in_front_wins_over_what_the_name_gives_away(
    written: str, provider: ProviderType | None, model: str
):
    assert parse_model_reference(written) == ModelReference(provider, model)


def test_a_hint_counts_where_no_provider_is_in_front():
    hint = ProviderType.BEDROCK
    assert parse_model_reference("claude-x", hint).canonical == "bedrock:claude-x"
    assert parse_model_reference("openai:gpt-5", hint).canonical == "openai:gpt-5"
    assert parse_model_reference("llama3").canonical == "llama3"


@pytest.mark.parametrize("written", ["", "  ", "x" * 301, "a\nb"])
def test_what_is_no_name_is_refused(written: str):
    with pytest.raises(ValueError, match="printable"):
        parse_model_reference(written)
