"""How the vendor's blocks are kept beside stored parts, so that they go back as they came. Pure.

Under the name of the vendor (its namespace) stand: for reasoning `signature` or `redacted_data`; for text
`citations`; for calls and results `block`, the fields of the block that the part does not name, or all of
them; for what ran in a container `container`, its id and when it expires.
"""

from collections.abc import Mapping
from typing import Any

Block = dict[str, Any]

_SIGNATURE = "signature"
_REDACTED = "redacted_data"
_CITATIONS = "citations"
_BLOCK = "block"
_CONTAINER = "container"

_NAMED_BY_A_CALL = frozenset({"id", "name", "input"})
_OURS = "tool_use"


def signature(namespace: str, proof: str) -> dict[str, Any]:
    """Metadata of a thinking block."""
    return {namespace: {_SIGNATURE: proof}}


def redacted(namespace: str, data: str) -> dict[str, Any]:
    """Metadata of a block whose thinking the vendor sends encrypted only."""
    return {namespace: {_REDACTED: data}}


def citations(namespace: str, cited: list[Any]) -> dict[str, Any]:
    """Metadata of a text that cites something."""
    return {namespace: {_CITATIONS: cited}}


def rest_of_call(namespace: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of a call: who it is run by and called by. Empty for a plain call of one of our tools."""
    rest = {key: value for key, value in block.items() if key not in _NAMED_BY_A_CALL and value is not None}
    if rest.get("type") == _OURS:
        del rest["type"]
    return {namespace: {_BLOCK: rest}} if rest else {}


def whole_block(namespace: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of a result, or of a block that is not known."""
    return {namespace: {_BLOCK: dict(block)}}


def container(namespace: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of what ran in a container that later requests may go on to use."""
    return {namespace: {_CONTAINER: {"id": told["id"], "expires_at": told.get("expires_at")}}}


def own(namespace: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is kept under the name, empty if nothing is."""
    metadata: Mapping[str, Mapping[str, Any]] = part.get("provider_metadata") or {}
    return metadata.get(namespace) or {}


def block_of(namespace: str, part: Mapping[str, Any]) -> Block:
    """The kept block, or fields of one; empty if there is none."""
    block: Any = own(namespace, part).get(_BLOCK)
    return dict(block) if isinstance(block, Mapping) else {}  # pyright: ignore[reportUnknownArgumentType]


def citations_of(namespace: str, part: Mapping[str, Any]) -> list[Any]:
    """What a text cites."""
    return list(own(namespace, part).get(_CITATIONS) or [])


def container_of(namespace: str, part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The container something ran in."""
    return own(namespace, part).get(_CONTAINER)


def thinking_block(namespace: str, part: Mapping[str, Any]) -> Block | None:
    """The wire form of a stored reasoning part; None for one without proof, which may not be sent."""
    proof = own(namespace, part)
    if data := proof.get(_REDACTED):
        return {"type": "redacted_thinking", "data": data}
    if signed := proof.get(_SIGNATURE):
        return {"type": "thinking", "thinking": part.get("text", ""), "signature": signed}
    return None
