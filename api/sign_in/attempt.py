"""A sign-in that is under way: kept in the browser that has begun it, so that any replica can end it.

The cookie binds the answer to the browser: whoever comes back with another's code, or with a state that was
not made for this browser, is sent away. It holds nothing that the browser may not know.
"""

import base64
import binascii
import hmac
import json
from dataclasses import asdict, dataclass

from authlib.common.security import generate_token

COOKIE = "perdure_sign_in"
LIFE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a sign-in has to come back with.

    Attributes:
        state: of the redirect.
        nonce: of the ID token.
        verifier: of the code (PKCE).
        target: path of ours to go to in the end.
    """

    state: str
    nonce: str
    verifier: str
    target: str

    @classmethod
    def begin(cls, target: str) -> "Attempt":
        """A new one. A target elsewhere is ours instead: nobody is led on by a link to us."""
        return cls(generate_token(32), generate_token(32), generate_token(64), own_path(target))

    def matches(self, state: str) -> bool:
        """Whether a redirect belongs to it."""
        return hmac.compare_digest(self.state.encode(), state.encode())

    def encoded(self) -> str:
        """As the value of a cookie."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def decoded(cls, value: str) -> "Attempt | None":
        """From the value of a cookie; None: it is none."""
        try:
            fields = json.loads(base64.urlsafe_b64decode(value.encode()))
            attempt = cls(**{name: str(fields[name]) for name in cls.__dataclass_fields__})
        except (binascii.Error, ValueError, TypeError, KeyError):
            return None
        return cls(attempt.state, attempt.nonce, attempt.verifier, own_path(attempt.target))


def own_path(target: str) -> str:
    """A path on this server; `/` in place of anything else."""
    own = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if own and target.isprintable() and len(target) <= 2000 else "/"
