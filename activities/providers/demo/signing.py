"""Proofs of thinking: opaque to clients, checked when they come back."""

import base64
import hashlib


def encrypt(thinking: str) -> str:
    """The encrypted form of reasoning in the Responses API."""
    return "gAAAA" + _digest("reasoning", thinking)


def sign_reasoning(thinking: str) -> str:
    """The signature of reasoning of servers compatible with Chat Completions that sign theirs."""
    return _digest("reasoning details", thinking)


def _digest(salt: str, thinking: str) -> str:
    material = f"perdure demo {salt}\n".encode() + thinking.encode("utf-8", "replace")
    return base64.b64encode(hashlib.sha256(material).digest()).decode()
