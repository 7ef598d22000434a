"""What those who read a list narrow it down to."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Table


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows to read; None: all. Fields are called like the columns that must be equal, but for the
    bounds of a row's time: `since` is within, `until` is not."""

    since: datetime | None = None
    until: datetime | None = None
    organization_id: UUID | None = None
    user_id: UUID | None = None

    def conditions(self, table: Table, at: ColumnElement[datetime]) -> list[ColumnElement[bool]]:
        """The same for a query.

        Args:
            at: the time of a row.
        """
        given = {name: value for name, value in asdict(self).items() if value is not None}
        bounds = {"since": at.__ge__, "until": at.__lt__}
        return [
            bounds[name](value) if name in bounds else table.c[name] == value for name, value in given.items()
        ]
