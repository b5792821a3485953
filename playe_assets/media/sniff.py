"""What the first bytes say a file is: texts that name other files, formats with a plain answer, names."""

from __future__ import annotations

from typing import IO, Final

from playe_assets.core.values import Reason

HEAD: Final = 4096

_TEXTS: Final = (
    (b"ffconcat", "ffconcat"), (b"#extm3u", "HLS playlist"), (b"[playlist]", "PLS playlist"),
    (b"file '", "concat list"), (b"file ", "concat list"), (b"<?xml", "XML"), (b"<mpd", "DASH manifest"),
    (b"<smil", "SMIL"), (b"<svg", "SVG"), (b"<html", "HTML"), (b"<!doctype", "HTML"), (b"#!", "script"),
    (b"%pdf", "PDF"), (b"%!ps", "PostScript"), (b"{", "text"),
)  # fmt: skip
_HEIF: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

_FAMILIES: Final = {
    "JPEG": "jpg jpeg jpe jfif mpo", "MPO": "jpg jpeg mpo", "PNG": "png apng", "TIFF": "tif tiff dng nef cr2",
    "WEBP": "webp", "BMP": "bmp dib", "GIF": "gif", "AVIF": "avif", "JPEG2000": "jp2 j2k jpf jpx j2c jpc",
    "mov,mp4,m4a,3gp,3g2,mj2": "mov mp4 m4v m4a 3gp 3g2 mj2 qt insv lrv", "matroska,webm": "mkv webm mka",
    "avi": "avi divx", "asf": "asf wmv", "flv": "flv", "mpegts": "ts mts m2ts trp",
    "mpeg": "mpg mpeg vob ps dav",
    "mpegvideo": "mpg mpeg m2v m1v", "h264": "h264 264 avc", "hevc": "h265 265 hevc", "mjpeg": "mjpg mjpeg",
    "gif": "gif", "apng": "png apng",
}  # fmt: skip


def lies(file: IO[bytes]) -> Reason | None:
    """Why a file is refused before any decoder sees it: a text, or a format that none here decodes."""
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, kind in _TEXTS:
        if plain.startswith(start):
            return Reason("names_other_files" if kind in _FOLLOWED else "not_media", {"found": kind})
    if head[4:8] == b"ftyp":
        size = min(int.from_bytes(head[:4], "big"), 64)
        brands = [head[i : i + 4] for i in range(8, max(size, 12), 4)]
        if any(b in _HEIF for b in brands) and not any(b in (b"avif", b"avis") for b in brands):
            return Reason("heif", {})
    return None


_FOLLOWED: Final = ("ffconcat", "HLS playlist", "PLS playlist", "concat list", "DASH manifest", "SMIL")


def wrong_extension(name: bytes, container: str) -> Reason | None:
    """A note where the name says something else than the content; the content counts."""
    _, dot, ending = name.rpartition(b".")
    given = ending.decode("ascii", "replace").lower() if dot else ""
    fitting = _FAMILIES.get(container, "").split()
    if not fitting or not given or given in fitting:
        return None
    if not (given.isalnum() and len(given) <= 5):
        return None
    return Reason("wrong_extension", {"extension": given, "found": container.split(",")[0]})


def has_box(file: IO[bytes], wanted: bytes) -> bool:
    """Whether an ISO base media file has the top-level box `wanted` (ISO/IEC 14496-12, clause 4.2)."""
    end = file.seek(0, 2)
    position = 0
    for _ in range(10_000):
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return False
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if head[4:8] == wanted and position + size <= end:
            return True
        if size < 8:
            return False
        position += size
    return False
