"""A shown name is printable, unambiguous, and cannot deceive the reader."""

from __future__ import annotations

import pytest

from playe_assets.examination.names import shown


@pytest.mark.parametrize(("raw", "words"), [
    (b"photo 1.jpg", "photo 1.jpg"),
    ("Фото.jpg".encode(), "Фото.jpg"),
    (b"a\x00\n\x7f", "a\\x00\\x0a\\x7f"),
    (b"\xff\xfe.jpg", "\\xff\\xfe.jpg"),
    (b"\\xff", "\\\\xff"),
    ("ann\u202egpj.exe".encode(), "ann\\xe2\\x80\\xaegpj.exe"),
])  # fmt: skip
def test_names_are_escaped(raw, words):
    assert shown(raw) == words
    assert shown(raw).isprintable()
