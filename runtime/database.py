"""Connections to Postgres."""

from typing import Any

import orjson
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def driver_url(database_url: str) -> URL:
    """The URL with the driver we use, whatever short form the operator wrote."""
    return make_url(database_url).set(drivername="postgresql+psycopg")


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def open_engine(database_url: str, pool_size: int) -> AsyncEngine:
    """A pool of at most `pool_size` connections, opened when first needed.

    A connection is tested only after a failure of the pool (`pool_recycle` bounds its age): a ping before
    each use would cost a round trip per transaction, and every caller retries anyway.
    """
    return create_async_engine(
        driver_url(database_url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_recycle=1800,
        isolation_level="AUTOCOMMIT",  # see models.store.reading
        hide_parameters=True,  # errors are logged, and parameters are what people wrote
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        connect_args={"connect_timeout": 5, "application_name": "perdure"},
    )
