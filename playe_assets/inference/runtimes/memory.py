"""Recognises that an engine ran out of memory: engines say so in words of their own, under general error types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from playe_assets.core.errors import OutOfMemoryError
from playe_assets.inference.contract import Target

# The words of CUDA and torch, torch's CPU allocator, ONNX Runtime's arenas, TensorRT, the C++ library.
WORDS = ("out of memory", "can't allocate memory", "failed to allocate", "cannot allocate", "bad_alloc",
         "outofmemory", "not enough memory", "available memory of")  # fmt: skip


@contextmanager
def memory_watched(name: str, target: Target, shapes: Sequence[Sequence[int]]) -> Iterator[None]:
    """Turn an engine's lack of memory into `OutOfMemoryError`; every other error passes as it is."""
    try:
        yield
    except MemoryError as error:
        raise _lack(name, target, shapes, error) from error
    except (RuntimeError, ValueError, OSError) as error:
        if any(word in str(error).lower() for word in WORDS):
            raise _lack(name, target, shapes, error) from error
        raise
    except Exception as error:
        # ONNX Runtime's exceptions derive from Exception alone.
        if type(error).__module__.startswith("onnxruntime") and any(w in str(error).lower() for w in WORDS):
            raise _lack(name, target, shapes, error) from error
        raise


def _lack(name: str, target: Target, shapes: Sequence[Sequence[int]], error: Any) -> OutOfMemoryError:
    shape = ", ".join("x".join(str(side) for side in sides) for sides in shapes)
    problem = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return OutOfMemoryError(
        "runtime.out_of_memory", name=name, target=str(target), shape=shape, problem=problem
    )
