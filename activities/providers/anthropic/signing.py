"""How proof of reasoning is kept beside a stored reasoning part, so that it goes back byte for byte.

Stored under the label of the endpoint that made it: another endpoint would refuse the whole request for a
signature it does not know.
"""

from collections.abc import Mapping
from typing import Any

_SIGNATURE = "signature"
_REDACTED = "redacted_data"


def signed(vendor: str, signature: str) -> dict[str, Any]:
    """Metadata of a thinking block."""
    return {vendor: {_SIGNATURE: signature}}


def redacted(vendor: str, data: str) -> dict[str, Any]:
    """Metadata of a block whose thinking the vendor sends encrypted only."""
    return {vendor: {_REDACTED: data}}


def thinking_block(vendor: str, part: Mapping[str, Any]) -> dict[str, Any] | None:
    """The wire form of a stored reasoning part; None for one without proof, which may not be sent."""
    metadata: dict[str, Any] = part.get("provider_metadata") or {}
    proof: dict[str, Any] = metadata.get(vendor) or {}
    if data := proof.get(_REDACTED):
        return {"type": "redacted_thinking", "data": data}
    if signature := proof.get(_SIGNATURE):
        return {"type": "thinking", "thinking": part.get("text", ""), "signature": signature}
    return None
