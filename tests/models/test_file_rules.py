"""A file is what its bytes say."""

import pytest

from models.file_rules import MediaTypeRefused, checked_media_type, plain_name
from tests.api.files.bytes_of import GIF, JPEG, PDF, PNG, WEBP, ZIP


@pytest.mark.parametrize(
    ("declared", "name", "data", "kept_as"),
    [
        ("image/png", "a.png", PNG, "image/png"),
        ("", "a.gif", PNG, "image/png"),
        ("application/octet-stream", "a", JPEG, "image/jpeg"),
        ("image/gif", "a.gif", GIF, "image/gif"),
        ("image/webp", "a.webp", WEBP, "image/webp"),
        ("application/pdf; q=1", "a.pdf", PDF, "application/pdf"),
        ("text/plain; charset=utf-8", "a.txt", b"hello", "text/plain"),
        ("text/plain", "a.txt", b'{"a": [1, 2]}', "application/json"),
        ("application/json", "a.json", b"[1]", "application/json"),
        ("", "table.CSV", b"a,b\n1,2\n", "text/csv"),
        ("text/plain", "notes.md", b"# Title", "text/markdown"),
        ("text/csv", "a.txt", b"[1],2", "text/csv"),
        ("text/markdown", "a.md", b"[1]", "text/markdown"),
        ("text/plain", "a.txt", "\ufeffgr\u00fcn".encode(), "text/plain"),
    ],
)
def test_what_is_taken(declared: str, name: str, data: bytes, kept_as: str):
    assert checked_media_type(declared, name, data) == kept_as


@pytest.mark.parametrize(
    ("declared", "name", "data"),
    [
        ("image/jpeg", "a.jpg", PNG),
        ("text/plain", "a.txt", PNG),
        ("image/png", "a.png", b"hello"),
        ("application/json", "a.json", b"{not json"),
        ("text/html", "a.html", b"hello"),
        ("text/plain", "a.txt", b"<!DOCTYPE html><p>hi"),
        ("text/plain", "a.txt", b"\n<!-- x --><script>alert(1)</script>"),
        ("image/svg+xml", "a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("", "a.svg", b"<?xml version='1.0'?><svg/>"),
        ("application/zip", "a.zip", ZIP),
        ("", "a.zip", ZIP),
        ("text/plain", "a.txt", b"nul\x00"),
        ("text/plain", "a.txt", b"\xff\xfe\x00"),
        ("application/json", "a.json", b"[" * 100_000),
    ],
)
def test_what_is_refused(declared: str, name: str, data: bytes):
    with pytest.raises(MediaTypeRefused):
        checked_media_type(declared, name, data)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("cat.png", "cat.png"),
        ("/home/agent/größe 1.csv", "größe 1.csv"),
        ("C:\\files\\a.txt", "a.txt"),
        ("a\0b\n.txt", "ab.txt"),
        ("folder/", ""),
        ("..", ""),
        (" ", ""),
    ],
)
def test_a_name_has_no_folders_and_can_be_printed(written: str, name: str):
    assert plain_name(written) == name
