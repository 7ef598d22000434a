"""Which failures pass by themselves, so that the same work may fare better in a moment. Pure."""

import errno
import socket

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_AWAY = (InterfaceError, PoolTimeoutError, ConnectionError, TimeoutError, socket.gaierror)
_ERRNOS = frozenset({errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EMFILE, errno.ENFILE})

_LIMIT_EXCEEDED = "54"
"""Class of SQLSTATE: a statement is too large or too complex, and will be so the next time."""

_READ_ONLY = "25006"
"""SQLSTATE: the database we reached is a standby; soon it is the primary, or we reach that."""


def passes(error: BaseException) -> bool:
    """Whether a failure of the database or the network lies in the moment, and not in what was asked."""
    match error:
        case OperationalError():
            return not _sqlstate(error).startswith(_LIMIT_EXCEEDED)
        case DBAPIError():
            gone = isinstance(error, InterfaceError) or error.connection_invalidated
            return gone or _sqlstate(error) == _READ_ONLY
        case OSError():
            return isinstance(error, _AWAY) or error.errno in _ERRNOS
        case _:
            return isinstance(error, _AWAY)


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
