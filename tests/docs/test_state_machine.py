"""The page of states says what the machine does."""

from models.chat_state import StateName
from tests.docs.state_machine import CAUSE, MEANING, PAGE, page
from workflows.chat.machine import MATRIX


def test_the_page_is_drawn_from_the_machine():
    assert PAGE.read_text() == page(), "the machine has changed: run `make docs`, and commit the page"


def test_every_state_and_transition_is_explained():
    assert set(CAUSE) == set(MATRIX)
    assert {*MEANING, StateName.INVALID} == {state for cells in MATRIX.values() for state in cells}
