"""Rules for labels (spec api.md 4.1)."""

import re

from api.errors import ApiError, invalid

_MAX_LABELS = 50
_MAX_KEY_BYTES = 64
_MAX_VALUE_BYTES = 256
_KEY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._/-]*")


def checked_labels(labels: dict[str, str]) -> dict[str, str]:
    """The labels, if they keep to the rules.

    Raises:
        ApiError: 400 on the field `labels`.
    """
    if len(labels) > _MAX_LABELS:
        raise _broken(f"At most {_MAX_LABELS} labels can be set, these are {len(labels)}.")
    for key, value in labels.items():
        if not _KEY.fullmatch(key) or len(key) > _MAX_KEY_BYTES:
            raise _broken(
                f"The key {key[:80]!r} must have 1 to {_MAX_KEY_BYTES} of the characters a-z A-Z 0-9 . _ / - "
                "and begin with a letter or digit."
            )
        if not 0 < len(value.encode()) <= _MAX_VALUE_BYTES or "\0" in value:
            raise _broken(f"The value of {key!r} must have 1 to {_MAX_VALUE_BYTES} bytes, none of them NUL.")
    return labels


def _broken(rule: str) -> ApiError:
    return invalid(("labels", rule))
