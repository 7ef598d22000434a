"""What of a kept answer its preview has not shown yet. Pure."""

from collections.abc import Sequence

from perdure.client import Part

VOICES = ("text", "reasoning")
"""Kinds of parts that are words, and grow while they are streamed."""


def remainder(shown: Sequence[Part], kept: Sequence[Part]) -> list[Part] | None:
    """The parts, or ends of parts, by which a kept answer goes beyond the pieces shown of it.

    Returns:
        What is left to show; None if what was shown is not how the answer begins.
    """
    before, whole = _merged(shown), _merged(kept)
    if not before:
        return whole
    if len(before) > len(whole) or not all(map(_equal, before[:-1], whole)):
        return None
    last, same_place, rest = before[-1], whole[len(before) - 1], whole[len(before) :]
    if _equal(last, same_place):
        return rest
    words, said = last.text, same_place.text
    if last.type == same_place.type and words and said.startswith(words):
        return [Part(type=last.type, text=said[len(words) :]), *rest]
    return None


def _merged(parts: Sequence[Part]) -> list[Part]:
    """Parts with words of the same kind in a row as one, and without those that hold none."""
    merged: list[Part] = []
    for part in parts:
        kind = part.type
        if kind in VOICES and merged and merged[-1].type == kind:
            merged[-1] = Part(type=kind, text=merged[-1].text + part.text)
        else:
            merged.append(part)
    return [part for part in merged if part.type not in VOICES or part.text.strip()]


def _equal(one: Part, other: Part) -> bool:
    # a block of nothing but space is streamed, and not kept
    return one.type == other.type and (
        one.text.rstrip() == other.text.rstrip()
        if one.type in VOICES
        else one.tool_call_id == other.tool_call_id
    )
