"""The one way in which PyAV opens a file: an explicit list of formats, and no protocol at all.

Seen on real input: an .mp4 that holds ffconcat text made other programs decode another file. So playlists are
not on the list, and the file is handed over as an open file object, which leaves a demuxer nothing to follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from av.container import InputContainer

CLIP_FORMATS: Final = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2",  # phones, cameras, most recorders
    "matroska", "webm",
    "avi", "asf", "flv",  # older recorders and body cameras
    "mpegts", "mpeg", "mpegvideo", "h264", "hevc", "mjpeg",  # streams cut out of a recorder
    "gif", "apng",  # animated pictures, which are clips
    "mp3", "wav", "flac", "ogg", "aac",  # recognised so that the reason can say "audio only"
)  # fmt: skip
"""Names of FFmpeg demuxers. None of them can name another file with the options below."""

STILL_FORMATS: Final = ("png_pipe", "tiff_pipe")
"""For 16-bit RGB pictures only, which Pillow would cut to 8 bits."""

_OPTIONS: Final = {
    "protocol_whitelist": "none",  # no protocol of this name exists, so nothing else can be opened
    "enable_drefs": "0",  # QuickTime tracks whose media lies in another file stay empty
    "use_absolute_path": "0",
}


@contextmanager
def open_container(file: IO[bytes], formats: tuple[str, ...] = CLIP_FORMATS) -> Iterator[InputContainer]:
    """`file` (seekable, at its start) as an input container; closed afterwards, the file is not.

    Raises:
        av.error.FFmpegError: no listed demuxer accepts it; callers put it into their own words.
    """
    import av

    av.logging.set_level(av.logging.PANIC)  # the words of libav go to a terminal nobody reads
    options = dict(_OPTIONS, format_whitelist=",".join(formats))
    single = formats[0] if len(formats) == 1 else None
    container = av.open(
        _Nameless(file), "r", format=single, options=options, metadata_errors="replace", buffer_size=1 << 18
    )
    try:
        yield container
    finally:
        container.close()


class _Nameless:
    """A file without its name: a demuxer that guesses by file name, or looks beside it, finds nothing."""

    name = "exhibit"

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


def decoder_name(codec: Any) -> str:
    """`PyAV 18.1.0 (libavcodec 62.28.102, h264)`, as facts name the decoder."""
    import av

    version = ".".join(str(n) for n in av.library_versions["libavcodec"])
    return f"PyAV {av.__version__} (libavcodec {version}, {codec})"
