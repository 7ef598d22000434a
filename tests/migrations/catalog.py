"""What a database says it is made of."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from runtime.database import driver_url

_DEFINITIONS = """
SELECT table_name || '.' || column_name || ': ' || concat_ws(' ',
       data_type, is_nullable, column_default, is_identity, identity_generation)
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT conrelid::regclass || ' ' || conname || ': ' || pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


@asynccontextmanager
async def empty_database(server_url: str) -> AsyncGenerator[str]:
    """A database of its own on a server, gone afterwards; yields its address."""
    url, name = driver_url(server_url), f"migrations_{uuid4().hex}"
    await _run(url, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    finally:
        await _run(url, f"DROP DATABASE {name} WITH (FORCE)")


async def definitions(database_url: str) -> set[str]:
    """Columns, constraints, indexes and functions, each as a text; without Alembic's own table."""
    return {line for line in await _lines(driver_url(database_url), _DEFINITIONS) if "alembic" not in line}


async def lines(database_url: str, query: str) -> list[str]:
    """The first column of a query's answer."""
    return await _lines(driver_url(database_url), query)


async def execute(database_url: str, *statements: str) -> None:
    """Run statements, each by itself."""
    for statement in statements:
        await _run(driver_url(database_url), statement)


async def _lines(url: URL, query: str) -> list[str]:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as conn:
            return [str(row[0]) for row in await conn.execute(text(query))]
    finally:
        await engine.dispose()


async def _run(url: URL, statement: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as conn:
            await conn.execute(text(statement))
    finally:
        await engine.dispose()
