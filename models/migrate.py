"""Bring a database's schema up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config

_HERE = Path(__file__).parent / "migrations"


def upgrade(database_url: str) -> None:
    """Run all migrations that are missing. Safe to call from several processes: one runs, others wait.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["database_url"] = database_url
    command.upgrade(config, "head")
