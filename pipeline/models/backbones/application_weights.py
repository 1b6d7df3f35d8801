"""The published weights of ``keras.applications``: looked for where Keras keeps them, checked, fetched, or named.

Which file a network needs, and its hash, is what Keras itself asks ``keras.utils.get_file`` for. That function is not asked
about what lies in the cache: it deletes a file that does not fit before it has another, and where the cache is read-only it
looks in the temporary folder instead.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import keras

from pipeline.engine.errors import ConfigError, CorruptArtifactError, StorageError

# Every module of keras.applications calls this one's get_file by its attribute.
_FILES = sys.modules[keras.utils.get_file.__module__]
_ALONE = Lock()


@dataclass(frozen=True)
class PublishedWeights:
    """A file that Keras asks for. network: its constructor's name. folder: where Keras keeps it.

    digest: MD5 (32 digits) or SHA-256 (64), None where Keras knows none.
    """

    network: str
    folder: Path
    file: str
    origin: str
    digest: str | None = None

    @property
    def path(self) -> Path:
        return self.folder / self.file

    def is_whole(self) -> bool:
        """Whether the file is there; CorruptArtifactError where it is not the published one."""
        if not self.path.is_file():
            return False
        if self.digest is not None and not _FILES.validate_file(str(self.path), self.digest):
            raise self.refused(f"its {self._hash_name} is not {self.digest}")
        return True

    def refused(self, reason: str) -> CorruptArtifactError:
        """The error for a file that is not the published one."""
        size = self.path.stat().st_size
        message = f"{self.path} is not {self._what}: {reason}. It has {size} bytes, and may be half downloaded."
        return CorruptArtifactError(message, f"Remove it, then {self._mend(str(self.folder))}")

    def absent(self, reason: str) -> ConfigError:
        """The error where there is no file and none can be fetched."""
        message = f"{self.path} is missing: {self._what}, which cannot be fetched ({reason})."
        return ConfigError(message, f"To mend it, {self._mend(str(self.folder))}")

    def unwritable(self, reason: str) -> StorageError:
        """The error where there is no file and the folder takes none."""
        message = f"{self.path} is missing: {self._what}, and nothing can be written there ({reason})."
        return StorageError(message, f"Set KERAS_HOME to a folder of your own, or {self._mend(f'its {self.folder.name}')}")

    @property
    def _what(self) -> str:
        return f"the ImageNet weights of {self.network} from keras.applications"

    @property
    def _hash_name(self) -> str:
        return "MD5" if self.digest is None or len(self.digest) == 32 else "SHA-256"

    def _mend(self, folder: str) -> str:
        digest = f" ({self._hash_name} {self.digest})" if self.digest else ""
        return (
            f"put {self.file}{digest} into {folder}, where keras.applications.{self.network}(include_top=False) leaves it "
            "on a machine with internet; or give a file's path or `none` (random) under `weights:`."
        )


def build_published(network: str, build: Callable[[], keras.Model]) -> keras.Model:
    """`build()`, a constructor of ``keras.applications`` with ImageNet weights, which are taken from Keras's cache or fetched.

    Raises:
        ConfigError: they are not there and cannot be fetched.
        StorageError: they are not there, and the cache may not be written to.
        CorruptArtifactError: what is there is not the published file; it is left as it is.
    """
    asked: list[PublishedWeights] = []
    fetch = keras.utils.get_file

    def published_file(fname: str, origin: str, cache_subdir: str = "datasets", file_hash: str | None = None) -> str:
        home = Path(_FILES.config.keras_home()).expanduser()
        asked.append(weights := PublishedWeights(network, home / cache_subdir, fname, origin, file_hash))
        if not weights.is_whole():
            _require_writable(weights)
            try:
                fetch(fname, origin, cache_subdir=cache_subdir, file_hash=file_hash)
            except Exception as cause:  # it raises Exception itself, and what its transport raises
                raise weights.absent(_reason(cause)) from cause
        return str(weights.path)

    try:
        with _ALONE:
            _FILES.get_file = published_file
            try:
                return build()
            finally:
                _FILES.get_file = fetch
    except (OSError, ValueError, KeyError) as cause:
        if not asked:
            raise
        raise asked[-1].refused(f"Keras cannot read it ({_reason(cause)})") from cause


def _reason(cause: Exception) -> str:
    """The first line of an error, without the address that could not be reached."""
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0].rpartition(" -- ")[2]


def _require_writable(weights: PublishedWeights) -> None:
    try:
        weights.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=weights.folder):
            pass
    except OSError as cause:
        raise weights.unwritable(cause.strerror or _reason(cause)) from cause
