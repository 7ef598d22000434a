"""Column shapes that several tables share."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Identity, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB


def uuid_key() -> Column[Any]:
    return Column(Uuid, primary_key=True)


def serial_key() -> Column[int]:
    """Ids that clients see as JSON numbers, ascending over the whole table."""
    return Column(BigInteger, Identity(always=True), primary_key=True)


def moment(*, nullable: bool = False) -> Column[datetime]:
    """A point in time; the database's clock fills it in."""
    if nullable:
        return Column(DateTime(timezone=True), nullable=True)
    return Column(DateTime(timezone=True), nullable=False, server_default=func.now())


def verbatim_json(*, nullable: bool = False) -> Column[Any]:
    """JSON kept as text. What users and models write may hold NUL, which `jsonb` refuses."""
    return Column(JSON(none_as_null=True), nullable=nullable)


def indexed_json(*, nullable: bool = False, default: str | None = None) -> Column[Any]:
    """JSON of our own making, which may be queried into."""
    return Column(JSONB(none_as_null=True), nullable=nullable, server_default=default)
