"""Models as people write them: `anthropic:claude-…`, `openrouter/…`, or just the name (spec 3.2). Pure."""

import re
from dataclasses import dataclass

from models.providers import ProviderType

_BY_NAME = (
    (re.compile(r"gpt-|chatgpt-|o\d", re.IGNORECASE), ProviderType.OPENAI),
    (re.compile(r"claude-", re.IGNORECASE), ProviderType.ANTHROPIC),
    (re.compile(r"gemini-|gemma-", re.IGNORECASE), ProviderType.GOOGLE),
)
_TYPES = {provider.value: provider for provider in ProviderType}
_MAX_NAME = 300


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model by its vendor's name, and where it is. `provider` is None where nothing told."""

    provider: ProviderType | None
    model: str

    @property
    def canonical(self) -> str:
        return f"{self.provider}:{self.model}" if self.provider else self.model


def parse_model_reference(written: str, hint: ProviderType | None = None) -> ModelReference:
    """Read a reference: a known provider in front wins, then the hint, then what the name gives away.

    Raises:
        ValueError: there is no name in it.
    """
    text = written.strip()
    if not text or len(text) > _MAX_NAME or not text.isprintable():
        raise ValueError(f"a model's name has 1 to {_MAX_NAME} printable characters")
    for separator in (":", "/"):
        front, found, name = text.partition(separator)
        provider = _TYPES.get(front.strip().lower())
        if found and provider and name.strip():
            return ModelReference(provider, name.strip())
    if hint is not None:
        return ModelReference(hint, text)
    named = (provider for pattern, provider in _BY_NAME if pattern.match(text))
    return ModelReference(next(named, None), text)
