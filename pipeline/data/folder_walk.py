"""Which files of a data folder are scans, and what lies there besides.

Left out by rule, and counted: folders of systems and programs (their names begin with `.`, `__`, `@` or `$`, or are those of
FOREIGN_FOLDERS), hidden files, thumbnails (`thumb` or `thumbnail` as a word of the name), sidecars of file browsers, a medium's
contents (DICOMDIR), and files whose content is no scan. Linked folders are followed once; broken links are named.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.reading.gray_reader import SUFFIXES
from pipeline.data.reading.raster_decoders import raster_kind
from pipeline.data.reading.scan_reader import is_dicom
from pipeline.data.scans import Warn
from pipeline.engine.errors import DataError
from pipeline.engine.listing import listed

FOREIGN_FOLDERS = frozenset({"#recycle", "#snapshot", "lost+found", "system volume information", "thumbnails", "thumbs"})
FOREIGN_STARTS = (".", "__", "@", "$")
SIDECARS = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "dicomdir"})
_THUMBNAIL = re.compile(r"(?:^|[\W_])thumb(?:nail)?s?(?:$|[\W_\d])", re.IGNORECASE)
_HEAD_BYTES = 512
NO_SCANS = "files that are no scans"


@dataclass
class FolderWalk:
    """The folders and files below `root` as they are asked for, and what was left out on the way."""

    root: Path
    left_out: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    _entered: set[tuple[int, int]] = field(default_factory=set)

    def subfolders(self, parent: Path) -> list[Path]:
        """The folders in `parent`, links to folders too, sorted, without foreign ones."""
        return [entry for entry in self._entries(parent) if entry.is_dir() and not self._is_foreign(entry)]

    def loose_scans(self, folder: Path) -> list[Path]:
        """The scans that lie in a folder itself, below none of its folders; counted as left out."""
        aside = FolderWalk(self.root)  # what is no scan is not told of
        found = [entry for entry in aside._entries(folder) if not entry.is_dir() and aside._is_scan(entry)]
        for path in found:
            self._leave("scans beside the class folders", path)
        return found

    def scan_files(self, folder: Path, missing: str = "") -> list[Path]:
        """Every scan below `folder`, sorted; [] where it is not there.

        A scan is told by its content (PNG, JPEG, TIFF, BMP, DICOM), whatever it is called; a file that is called as one is
        taken for one, so that it is named where it cannot be read. missing: what is missing where there is none: then
        DataError says so instead.
        """
        found = sorted(self._files(folder)) if folder.is_dir() else []
        if missing and not found:
            raise DataError(f"{folder}: {missing}.", f"Put {', '.join(sorted(SUFFIXES))} files there, or take the folder away.")
        return found

    def tell(self, warn: Warn) -> None:
        """One sentence on all that was left out, and one that names the links that lead nowhere."""
        if self.left_out:
            counts = [f"{kind}: {count} (first: {self.first[kind]})" for kind, count in sorted(self.left_out.items())]
            warn(f"{self.root}: left out are {'; '.join(counts)}.")
        if self.broken:
            warn(f"{self.root}: links that lead nowhere are left out: {listed(self.broken)}.")

    def _files(self, folder: Path) -> Iterator[Path]:
        """Linked folders last: what lies here in truth is read here, whichever link leads there too."""
        links = []
        self._entered.add(_identity(folder))
        for entry in self._entries(folder):
            if not entry.is_dir():
                if self._is_scan(entry):
                    yield entry
            elif self._is_foreign(entry):
                continue
            elif entry.is_symlink():
                links.append(entry)
            else:
                yield from self._files(entry)
        for link in links:
            if _identity(link) in self._entered or folder.resolve().is_relative_to(link.resolve()):
                self._leave("links to folders that are read already", link)
            else:
                yield from self._files(link)

    def _entries(self, folder: Path) -> Iterator[Path]:
        for entry in sorted(folder.iterdir()):
            if entry.is_symlink() and not entry.exists():
                self._note(self.broken, entry)
            else:
                yield entry

    def _is_foreign(self, folder: Path) -> bool:
        foreign = is_foreign_folder(folder.name)
        if foreign:
            self._leave("folders of systems and programs", folder)
        return foreign

    def _is_scan(self, path: Path) -> bool:
        if not path.is_file():
            # Whoever opens a pipe waits for its other end.
            self._leave("pipes, sockets and devices", path)
        elif path.name.startswith("."):
            self._leave("hidden files", path)
        elif path.name.lower() in SIDECARS:
            self._leave("sidecars", path)
        elif _THUMBNAIL.search(path.stem):
            self._leave("thumbnails", path)
        elif path.suffix.lower() in SUFFIXES or holds_scan(path):
            return True
        else:
            self._leave(NO_SCANS, path)
        return False

    def _leave(self, kind: str, path: Path) -> None:
        self.left_out[kind] += 1
        self.first.setdefault(kind, self._relative(path))

    def _note(self, names: list[str], path: Path) -> None:
        name = self._relative(path)
        if name not in names:
            names.append(name)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


def is_foreign_folder(name: str) -> bool:
    """Whether a folder is a system's or a program's own, by its name."""
    return name.startswith(FOREIGN_STARTS) or name.lower() in FOREIGN_FOLDERS


def holds_scan(path: Path) -> bool:
    """Whether a file's first bytes are those of a scan; False where it cannot be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return False
    return raster_kind(head) is not None or is_dicom(head, path.name)


def _identity(folder: Path) -> tuple[int, int]:
    found = os.stat(folder)
    return found.st_dev, found.st_ino
