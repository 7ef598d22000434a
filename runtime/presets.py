"""Providers that the environment sets up: where they are, and their keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from models.providers import Preset
from runtime.settings import Settings

_DEMO_KEY = SecretStr("demo")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the environment says of one provider. `base_url` None: the vendor's own address."""

    key: SecretStr
    base_url: str | None


def surroundings(settings: Settings) -> Mapping[Preset, Surroundings]:
    """The presets that this process can reach."""
    found: dict[Preset, Surroundings] = {}
    if settings.anthropic_api_key is not None:
        found[Preset.ANTHROPIC] = Surroundings(settings.anthropic_api_key, settings.anthropic_base_url)
    if settings.openai_api_key is not None:
        found[Preset.OPENAI] = Surroundings(settings.openai_api_key, settings.openai_base_url)
    if settings.demo_model_url is not None:
        found[Preset.DEMO] = Surroundings(_DEMO_KEY, settings.demo_model_url)
    return found
