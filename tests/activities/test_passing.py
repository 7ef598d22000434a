"""Which failures are worth another attempt."""

import errno

import psycopg
import pytest
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from activities.passing import passes
from runtime.blobs import BlobsUnavailable

LOST = DataError("s", None, psycopg.DataError(), connection_invalidated=True)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("s", None, psycopg.OperationalError()),
        OperationalError("s", None, psycopg.errors.AdminShutdown()),
        OperationalError("s", None, psycopg.errors.DeadlockDetected()),
        InterfaceError("s", None, psycopg.InterfaceError()),
        InternalError("s", None, psycopg.errors.ReadOnlySqlTransaction()),
        LOST,
        PoolTimeoutError(),
        ConnectionResetError(),
        BlobsUnavailable("TimeoutError"),
        TimeoutError(),
        OSError(errno.ENETUNREACH, "unreachable"),
    ],
)
def test_a_server_that_is_away_passes(error: Exception):
    assert passes(error)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("s", None, psycopg.errors.StatementTooComplex()),
        DataError("s", None, psycopg.errors.UntranslatableCharacter()),
        IntegrityError("s", None, psycopg.errors.CheckViolation()),
        FileNotFoundError(),
        TypeError("Recursion limit reached"),
    ],
)
def test_what_was_asked_stays_wrong(error: Exception):
    assert not passes(error)
