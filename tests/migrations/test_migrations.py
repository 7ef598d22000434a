"""The migrations lead to the tables the code believes in, whoever runs them and however often."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from cli.stack import Stack
from models.migrate import upgrade
from models.tables import metadata
from runtime.database import driver_url
from tests.migrations.catalog import definitions, empty_database, execute, lines

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def database(stack: Stack) -> AsyncGenerator[str]:
    async with empty_database(stack.database_url) as url:
        yield url


async def test_migrations_make_the_tables_of_the_code(stack: Stack, database: str):
    upgrade(database)
    engine = create_async_engine(driver_url(database), poolclass=NullPool)
    async with engine.connect() as conn:
        assert await conn.run_sync(differences) == [], "write a migration"
    await engine.dispose()
    # Alembic does not look at conditions of indexes, checks, identities
    async with empty_database(stack.database_url) as other:
        created = create_async_engine(driver_url(other), poolclass=NullPool)
        async with created.begin() as conn:
            await conn.run_sync(metadata.create_all)
        await created.dispose()
        assert await definitions(database) == await definitions(other)


def differences(conn: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(conn, opts=options), metadata)


async def test_a_second_upgrade_changes_nothing(database: str):
    upgrade(database)
    before = await definitions(database)
    version = await lines(database, "SELECT version_num FROM alembic_version")
    upgrade(database)
    assert await definitions(database) == before
    assert await lines(database, "SELECT version_num FROM alembic_version") == version


async def test_models_move_to_providers_and_back_with_all_they_say(database: str):
    migrate_to(database, "0008")
    organization, plain, thinking, demo = (str(uuid4()) for _ in range(4))
    await execute(
        database,
        f"INSERT INTO organizations (id, name) VALUES ('{organization}', 'o')",
        *(
            "INSERT INTO model_configs (id, organization_id, provider, model, display_name, context_limit,"
            " max_output_tokens, thinking_budget_tokens, is_default)"
            f" VALUES ('{model}', '{organization}', '{provider}', 'm', 'M', 1, {output}, {thinks}, {default})"
            for model, provider, output, thinks, default in (
                (plain, "anthropic", 32000, "NULL", "true"),
                (thinking, "own", 1000, 2000, "false"),
                (demo, "demo", 32000, "NULL", "false"),
            )
        ),
    )
    migrate_to(database, "0007")
    moved = await lines(
        database,
        "SELECT concat_ws(' ', p.name, p.type, coalesce(p.preset, '-'), m.call_config::text, m.is_default)"
        " FROM model_configs m JOIN ai_providers p ON p.id = m.ai_provider_id ORDER BY p.name",
    )
    options = '"provider_options": {"anthropic": {"thinking": {"budget_tokens": 2000}}}'
    assert moved == [
        "anthropic anthropic anthropic {} t",
        "demo anthropic demo {} f",
        f'own anthropic - {{{options}, "max_output_tokens": 1000}} f',
    ]
    migrate_to(database, "0008", down=True)
    columns = "provider, max_output_tokens, thinking_budget_tokens"
    back = f"SELECT concat_ws(' ', {columns}) FROM model_configs ORDER BY 1"
    assert await lines(database, back) == ["anthropic 32000", "demo 32000", "own 1000 2000"]
    migrate_to(database, "head")


def migrate_to(database_url: str, revision: str, *, down: bool = False) -> None:
    """Bring a database to a revision that is not the newest."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "models/migrations"))
    config.attributes["database_url"] = database_url
    (command.downgrade if down else command.upgrade)(config, revision)


async def test_processes_that_start_together_migrate_once(database: str, tmp_path: Path):
    async def migrate(number: int) -> str:
        kept = {name: value for name, value in os.environ.items() if "API_KEY" not in name}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "cli.main", "migrate"),
            env={
                **kept,
                "PYTHONPATH": str(ROOT),
                "DATABASE_URL": database,
                "PERDURE_DATA_DIR": str(tmp_path / str(number)),
                "PERDURE_DEMO_MODEL_URL": "http://127.0.0.1:1",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        assert process.returncode == 0, told.decode()
        return told.decode()

    await asyncio.gather(*map(migrate, range(3)))
    assert await lines(database, "SELECT version_num FROM alembic_version") != []
    tokens = [number for number in range(3) if (tmp_path / str(number) / "token").exists()]
    assert len(tokens) == 1, "one of them made the first account"
    for table in ("organizations", "users", "api_tokens", "model_configs"):
        assert await lines(database, f"SELECT count(*) FROM {table}") == ["1"], table
