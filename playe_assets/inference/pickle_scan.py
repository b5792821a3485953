"""What a pickled checkpoint would ask Python for, read without running any of it.

torch's own `weights_only` unpickler is the lock; this looks at the same bytes first, refuses more than the lock does
(a state dict needs few names), and can say what a planted file wanted to call.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile

_LEGACY_PARTS = 5
"""torch.save before 1.6 wrote five pickles in a row: magic number, protocol, system, object, storage keys."""
_OPCODES = frozenset(
    (  # noqa: SIM905 - one name a line would be a page
        "PROTO STOP MARK EMPTY_DICT EMPTY_LIST EMPTY_TUPLE EMPTY_SET TUPLE TUPLE1 TUPLE2 TUPLE3 NONE NEWTRUE "
        "NEWFALSE BININT BININT1 BININT2 BINFLOAT LONG1 BINUNICODE SHORT_BINSTRING BINGET LONG_BINGET BINPUT "
        "LONG_BINPUT APPEND APPENDS SETITEM SETITEMS GLOBAL REDUCE BUILD NEWOBJ BINPERSID"
    ).split(" ")
)
"""What torch.save writes; INST, OBJ, STACK_GLOBAL, EXT and the frames of newer protocols are none of it."""
_NAMES = re.compile(
    r"collections (OrderedDict|Counter)"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
    r"|torch (Size|device|[A-Z][A-Za-z0-9]+Storage|(float|bfloat|u?int|complex|bool)[0-9]*)"
    r"|torch\.storage UntypedStorage"
    r"|(__builtin__|builtins) (set|complex)"
    r"|_codecs encode"
)
"""The functions and classes that a dictionary of tensors is made of, as `module name`."""


class ForeignError(ValueError):
    """The bytes are no checkpoint of the kind that they claim to be."""


def pickles(data: bytes) -> list[bytes]:
    """The pickled parts of a checkpoint: `data.pkl` of a zip archive, or the five of the older form.

    Raises:
        ForeignError: neither of the two, or an archive that readers may understand differently.
    """
    if not data.startswith(b"PK\x03\x04"):
        return _legacy(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [item.filename for item in archive.infolist()]
            if len(set(names)) != len(names):
                raise ForeignError("two entries of one name")
            found = [item for item in archive.infolist() if item.filename.rpartition("/")[2] == "data.pkl"]
            if len(found) != 1:
                raise ForeignError(f"{len(found)} entries named data.pkl")
            if sum(item.file_size for item in archive.infolist()) > _MOST_GROWTH * len(data) + _SMALL:
                raise ForeignError("it unpacks to many times its size")
            return [archive.read(found[0])]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, KeyError) as problem:
        raise ForeignError(str(problem)) from problem


_MOST_GROWTH = 8
"""Weights are noise to a compressor: they shrink by a tenth, never to an eighth."""
_SMALL = 1_000_000


def refused(data: bytes) -> list[str]:
    """What the checkpoint asks for and a state dict has no need of, names first: `os.system`, `opcode EXT1`.

    Raises:
        ForeignError: it is no checkpoint.
    """
    asked: list[str] = []
    for raw in pickles(data):
        try:
            asked += _asked(raw)
        except ForeignError:
            if not asked:  # what was found is the better answer
                raise
    return asked


def _asked(raw: bytes) -> list[str]:
    """What one pickle asks for, names first."""
    found: dict[str, None] = {}
    strange: dict[str, None] = {}
    words = ["", ""]
    try:
        for opcode, argument, _ in pickletools.genops(raw):
            if opcode.name in ("GLOBAL", "INST"):
                if opcode.name == "INST" or not _NAMES.fullmatch(str(argument)):
                    found[str(argument).replace(" ", ".")] = None
            elif opcode.name == "STACK_GLOBAL":
                # It takes module and name from the stack: most often the last two words.
                found[".".join(words)] = None
            elif opcode.name not in _OPCODES:
                strange[f"opcode {opcode.name}"] = None
            if isinstance(argument, str):
                words = [words[1], argument]
    except (ValueError, EOFError, IndexError, UnicodeDecodeError, OverflowError, MemoryError) as problem:
        if not found:
            raise ForeignError(str(problem)) from problem
    return [*found, *strange]


def _legacy(data: bytes) -> list[bytes]:
    stream = io.BytesIO(data)
    parts = []
    try:
        for _ in range(_LEGACY_PARTS):
            start = stream.tell()
            for _opcode in pickletools.genops(stream):
                pass
            parts.append(data[start : stream.tell()])
    except (ValueError, EOFError, IndexError, UnicodeDecodeError, OverflowError, MemoryError) as problem:
        rest = [data[start:]] if start < len(data) else []
        if parts or data[:1] in (b"\x80", b"(", b"c"):
            return [*parts, *rest]  # a pickle, if not torch's: `refused` says what it asks for
        raise ForeignError(str(problem)) from problem
    return parts
