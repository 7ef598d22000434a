"""A database that will not store something."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

SERIALIZATION_FAILURE = "40001"
"""SQLSTATE of a failure that passes: the same statement may work in a moment."""

RAISED = "P0001"
"""SQLSTATE of one that does not."""

_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'will not store %', NEW.{column} USING ERRCODE = '{sqlstate}'; END $$
"""


@asynccontextmanager
async def refused(
    engine: AsyncEngine, event: str, condition: str, column: str, sqlstate: str
) -> AsyncGenerator[None]:
    """Have the database refuse to store a column's content while the block runs, quoting it."""
    async with engine.begin() as conn:
        await conn.execute(text(_REFUSE.format(column=column, sqlstate=sqlstate)))
        await conn.execute(
            text(
                f"CREATE TRIGGER refuse {event} FOR EACH ROW"
                f" WHEN (NEW.{column} IS NOT NULL AND NEW.{condition}) EXECUTE FUNCTION refuse()"
            )
        )
    try:
        yield
    finally:
        async with engine.begin() as conn:
            await conn.execute(text("DROP FUNCTION refuse CASCADE"))
