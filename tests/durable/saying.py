"""What people say in these tests: each message scripts the answer to itself."""

from typing import Any

from activities.providers.demo import script_block

WORDS = "one two three four five six seven eight nine ten"


def says(word: str, **step: Any) -> str:
    """A message that is answered with `word`."""
    return script_block({"text": word, **step}) + f" say {word}"


def held(hold: str, after_pieces: int = 4, of: str = "text", **step: Any) -> str:
    """A message whose answer, ten pieces of text if nothing else is given, stops behind so many of a kind
    until somebody releases the hold."""
    stop = {"name": hold, "after_pieces": after_pieces, "of": of}
    return script_block({"text": WORDS, "pieces": 10, **step, "hold": stop}) + f" {hold}"
