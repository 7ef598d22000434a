"""What may be the title of a chat or the label of a turn."""

import pytest

from models.naming import accepted_label, accepted_title, provisional_title


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("Time in Lisbon", "Time in Lisbon"),
        ("  “Time in\nLisbon” ", "Time in Lisbon"),
        ("Why it's late", "Why it's late"),
        ("里斯本的时间", "里斯本的时间"),
        ("Lisbon", None),
        ("one two three four five six seven eight nine", None),
        ('The "time" in Lisbon', None),
        (f"time {'x' * 80}", None),
        ("", None),
        (None, None),
        (7, None),
        ({"title": "Time in Lisbon"}, None),
    ],
)
def test_a_title_has_two_to_eight_words_and_no_quotes(answer: object, title: str | None):
    assert accepted_title(answer) == title


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("Fixed login redirect", "Fixed login redirect"),
        ("'Fixed login redirect'", "Fixed login redirect"),
        ("登录已修复", "登录已修复"),
        ("Fixed login redirect.", None),
        ("Fixed", None),
        ("Fixed the login redirect of shop", None),
        ("The agent fixed it", None),
        ("I fixed it", None),
        ("It’s fixed now", None),
        ("We fixed it", None),
        ("Agent fixed login", None),
        (f"Fixed {'x' * 60}", None),
        (None, None),
    ],
)
def test_a_label_names_what_was_done_and_is_no_sentence(answer: object, label: str | None):
    assert accepted_label(answer) == label


def test_a_chat_about_nothing_has_a_title_all_the_same():
    assert provisional_title([]) == "New Chat"
    assert provisional_title([{"type": "file-reference", "file_name": "a.py"}]) == "a.py"
    long = provisional_title([{"type": "text", "text": "one two three four five six seven"}])
    assert long == "one two three four five six…"
