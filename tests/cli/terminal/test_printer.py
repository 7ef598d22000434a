"""How a chat looks."""

import io

import pytest

from cli.terminal.answers import table
from cli.terminal.listing import COLUMNS
from cli.terminal.printer import Printer, brief, has_colours
from cli.terminal.shown import Asked, Called, Failed, Noted, Returned, Said, Shown, Thought, Void
from perdure.client import ChatInfo


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


CHAT: list[Shown] = [
    Asked("time?"),
    Thought("hm "),
    Thought("well"),
    Said("let me "),
    Said("look"),
    Called("clock", {"zone": "UTC"}),
    Returned("clock", "noon", is_error=False),
    Void("lost"),
    Said("noon"),
    Failed("broken"),
]


def test_on_a_terminal_all_of_it_is_in_order() -> None:
    out = Terminal()
    printer = Printer(out, out)
    for shown in CHAT:
        printer.show(shown)
    printer.end()
    assert out.getvalue().splitlines() == [
        "> time?",
        "hm well",
        "let me look",
        '* clock {"zone": "UTC"}',
        "  gave: noon",
        "— lost —",
        "noon",
        "broken",
    ]


def test_in_a_pipe_words_alone_are_on_standard_output_and_plain() -> None:
    out, side = io.StringIO(), io.StringIO()
    printer = Printer(out, side)
    for shown in CHAT:
        printer.show(shown)
    printer.end()
    assert out.getvalue() == "let me look\nnoon\n"
    assert "\x1b" not in side.getvalue()


def test_thoughts_are_dim_where_colours_are_wanted() -> None:
    out = Terminal()
    Printer(out, out, colours=True).show(Thought("hm"))
    assert out.getvalue() == "\x1b[2mhm\x1b[0m"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(environment: dict[str, str]) -> None:
    assert not has_colours(Terminal(), environment)
    assert has_colours(Terminal(), {})
    assert not has_colours(io.StringIO(), {})


def test_words_of_a_model_do_not_command_the_terminal() -> None:
    out = Terminal()
    printer = Printer(out, out)
    printer.show(Said("a\x1b]0;owned\x07b\n\tc\x9bd"))
    printer.show(Noted("e\x1b[2Jf"))
    assert out.getvalue() == "a]0;ownedb\n\tcd\n— e[2Jf —\n"


def test_long_results_are_cut_and_in_one_line() -> None:
    assert brief({"a": "b\nc"}) == '{"a": "b\\nc"}'
    assert brief("b\nc") == "b c"
    assert brief({}) == ""
    assert len(brief("x" * 1000)) == 200


def test_chats_are_a_table_as_wide_as_the_terminal() -> None:
    lines = table(
        [
            ChatInfo.model_validate(
                {
                    "id": "0" * 36,
                    "organization_id": "o",
                    "owner_id": "u",
                    "title": "What\ntime is it?",
                    "status": "waiting",
                    "archived": True,
                    "created_at": "2026-01-02T03:04:05Z",
                    "updated_at": "2026-01-02T03:04:05.123456+00:00",
                }
            )
        ],
        COLUMNS,
        width=80,
    )
    assert lines[0].split() == ["ID", "STATUS", "UPDATED", "TITLE"]
    assert "waiting, archived" in lines[1]
    assert lines[1].endswith("…")
    assert max(map(len, lines)) == 80
