"""Brings the database up to date, and at the first start makes the first account."""

import asyncio
import os
from pathlib import Path

from cli.environment import read_settings
from models import migrate
from models.model_options import CallConfig
from models.providers import Preset
from models.store.first_start import bootstrap
from models.store.presets import OfferedModel, ensure_models
from runtime.database import open_engine
from runtime.known_models import USUAL_CONTEXT_LIMIT, known_model
from runtime.logging import configure_logging
from runtime.presets import surroundings
from runtime.settings import Settings

DEMO_MODEL = "perdure-demo"

_DEMO_CONTEXT_LIMIT = 200_000


def run() -> None:
    """Migrate, and set up what a new installation needs. Harmless when there is nothing to do."""
    settings = read_settings()
    configure_logging(settings.log_level, settings.log_format)
    migrate.upgrade(settings.database_url)
    asyncio.run(_set_up(settings))


async def _set_up(settings: Settings) -> None:
    engine = open_engine(settings.database_url, pool_size=1)
    try:
        organization = await bootstrap(engine, lambda token: _deliver(token, settings.data_dir))
        await ensure_models(engine, organization, offered_models(settings))
    finally:
        await engine.dispose()


def offered_models(settings: Settings) -> list[OfferedModel]:
    """The models that the environment can reach, best first."""
    named = {
        Preset.ANTHROPIC: settings.anthropic_model,
        Preset.OPENAI: settings.openai_model,
        Preset.DEMO: DEMO_MODEL,
    }
    return [_offered(preset, named[preset]) for preset in surroundings(settings)]


def _offered(preset: Preset, model: str) -> OfferedModel:
    if preset is Preset.DEMO:
        return OfferedModel(preset, model, "Perdure demo model", _DEMO_CONTEXT_LIMIT)
    known = known_model(preset.provider_type, model)
    if known is None:
        return OfferedModel(preset, model, model, USUAL_CONTEXT_LIMIT)
    limit = known.context_limit or USUAL_CONTEXT_LIMIT
    return OfferedModel(preset, model, known.display_name, limit, CallConfig(cost=known.prices))


def _deliver(token: str, data_dir: Path | None) -> None:
    if data_dir is None:
        print(f"Token of the first user, shown only this once: {token}")
        return
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = data_dir / "token.new"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    draft.replace(data_dir / "token")
