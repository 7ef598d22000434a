"""What a shell command runs, in a few words: for people who look at a call of the tool (spec api.md 3.3).

A guess for display. What it decides is nothing, so it need not know all of the shell's grammar. Pure.
"""

import re
import shlex
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

SHELL_TOOL = "execute"

MAX_COMMANDS = 50
MAX_COMMAND_CHARACTERS = 16 * 1024
MAX_WORD_CHARACTERS = 200

_ENDS = frozenset(";&|()\n")
_REDIRECTS = frozenset("<>")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_BEFORE_COMMANDS = frozenset(
    {"!", "{", "}", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "time", "esac", "$"}
)
_WITHOUT_COMMANDS = frozenset({"for", "case", "select", "function", "[["})


def parsed_commands(tool_name: str, args: Any) -> list[list[str]] | None:
    """The programs that a call of the shell tool runs, each with its first argument that is no flag; None for
    other calls, and where it cannot be told."""
    given = cast("dict[str, Any]", args) if isinstance(args, dict) else {}
    command = given.get("command")
    if tool_name != SHELL_TOOL or not isinstance(command, str) or len(command) > MAX_COMMAND_CHARACTERS:
        return None
    try:
        return list(islice(_commands(command), MAX_COMMANDS)) or None
    except ValueError:  # a quote that is not closed
        return None


def _commands(text: str) -> Iterator[list[str]]:
    for words in _word_lists(text):
        while words and (words[0] in _BEFORE_COMMANDS or _ASSIGNMENT.match(words[0])):
            words = words[1:]
        if not words or words[0] in _WITHOUT_COMMANDS:
            continue
        program, *rest = (word[:MAX_WORD_CHARACTERS] for word in words)
        argument = next((word for word in rest if word and not word.startswith("-")), None)
        yield [program] if argument is None else [program, argument]


def _word_lists(text: str) -> Iterator[list[str]]:
    """The words of each simple command, without redirections."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=";&|()<>\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    redirected = False
    for token in lexer:
        signs = set(token)
        if signs and signs <= _REDIRECTS | {"&"} and signs & _REDIRECTS:
            redirected = True
            if words and words[-1].isdigit():
                words.pop()  # the number of what is redirected
        elif signs and signs <= _ENDS | _REDIRECTS:
            yield words
            words, redirected = [], False
        elif redirected:
            redirected = False
        else:
            words.append(token)
    yield words
