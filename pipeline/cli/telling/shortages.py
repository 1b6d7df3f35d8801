"""Disk or memory that does not suffice, a file in use: expected failures, whatever they are called where they arise."""

from __future__ import annotations

import errno

from pipeline.engine.errors import PipelineError, StorageError

# TensorFlow's error by its name, for it is imported only where it computes; onnxruntime's by its words, for it has no name.
_OF_TENSORFLOW, _OF_ONNXRUNTIME = "ResourceExhaustedError", "Failed to allocate memory"
# Windows: another program has the file open, or a part of it locked.
_IN_USE = (32, 33)


def shortage_of(error: Exception) -> PipelineError | None:
    """The error as one that says what ran short and how to mend it; None where it is another one."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" ({error.filename})" if error.filename else ""
        return StorageError(f"The disk is full{place}.", "Free some space and try again.")
    if getattr(error, "winerror", None) in _IN_USE:
        place = f" ({error.filename})" if getattr(error, "filename", None) else ""
        return StorageError(f"A file is open in another program{place}.", "Close it there and try again.")
    if isinstance(error, MemoryError) or type(error).__name__ == _OF_TENSORFLOW or _OF_ONNXRUNTIME in str(error):
        said = next(iter(str(error).splitlines()), "")
        return StorageError(
            f"The memory does not suffice{f' ({said[:160]})' if said else ''}.",
            "Train with a smaller batch (--set SNN.fit.batch_size=4), answer with --device cpu, or end other programs.",
        )
    return None
