"""File names of evidence: kept as raw bytes, shown escaped, never interpreted."""

from __future__ import annotations


def shown(raw: bytes) -> str:
    """`raw` printable and unambiguous: what is not UTF-8 and control bytes as `\\xNN`, `\\` doubled.

    Characters that only steer the display (such as U+202E, which makes `gpj.exe` look like `exe.jpg`) are
    escaped too.
    """
    parts = []
    for character in raw.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif character == "\\":
            parts.append("\\\\")
        elif character.isprintable():
            parts.append(character)
        else:
            parts.append("".join(f"\\x{byte:02x}" for byte in character.encode("utf-8")))
    return "".join(parts)
