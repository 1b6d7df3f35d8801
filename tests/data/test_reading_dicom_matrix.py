"""A generated matrix of DICOM objects, held against DCMTK: no gray level may differ by more than one of 255.

DCMTK (Debian's package) is an implementation of its own: it shares no code with the reader, and its codecs are not
those of GDCM, Pillow or OpenJPEG. What it does not implement is in `test_reading_dicom_formulas`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.reading.scan_reader import decode_scan
from pipeline.data.reading.volume_reader import read_slice
from tests.data.dicom_matrix import object_of, variants

needs_dcmtk = pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="DCMTK (dcmj2pnm) is absent")
ENCODERS = {
    "implicit": ("dcmconv", "+ti"), "explicit": (), "big": ("dcmconv", "+tb"),
    "deflated": ("dcmconv", "+td"), "rle": ("dcmcrle",), "baseline": ("dcmcjpeg", "+eb", "+q", "95"),
    "extended": ("dcmcjpeg", "+ee", "+q", "95"), "progressive": ("dcmcjpeg", "+ep", "+q", "95"),
    "spectral": ("dcmcjpeg", "+es", "+q", "95"), "lossless": ("dcmcjpeg", "+el"), "first order": ("dcmcjpeg", "+e1"),
    "lossless fragments": ("dcmcjpeg", "+el", "+fs", "1"), "lossless no offsets": ("dcmcjpeg", "+e1", "-ot"),
    "jpeg-ls fragments": ("dcmcjpls", "+el", "+fs", "1"),
    **{f"lossless {predictor}": ("dcmcjpeg", "+el", "+sv", str(predictor)) for predictor in range(1, 8)},
    "ls by sample": ("dcmcjpls", "+el", "+is"), "ls by line": ("dcmcjpls", "+el", "+il"),
    "ls by plane": ("dcmcjpls", "+el", "+in"), "jpeg of rgb": ("dcmcjpeg", "+eb", "+cr", "+q", "95"),
    "jpeg 4:4:4": ("dcmcjpeg", "+eb", "+s4", "+q", "95"),
    "jpeg-ls": ("dcmcjpls", "+el"), "near lossless": ("dcmcjpls", "+en"),
}  # fmt: skip




@cache
def environment() -> dict[str, str]:
    """A tenth of DCMTK's dictionary, the groups of an image: its programs read the whole at every start otherwise."""
    found = sorted(Path("/usr/share").glob("libdcmtk*/dicom.dic"))
    if not found:
        return dict(os.environ)
    lines = found[-1].read_text().splitlines(keepends=True)
    kept = [line for line in lines if line[1:5].lower() in ("0002", "0008", "0010", "0020", "0028", "7fe0", "fffe")]
    path = Path(tempfile.mkdtemp()) / "image.dic"
    path.write_text("".join(kept))
    return {**os.environ, "DCMDICTPATH": str(path)}


def run(command: list[object]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=60, check=False, env=environment())


def encoded(data: bytes, syntax: str, folder: Path) -> Path:
    """The object in another transfer syntax, by DCMTK's encoders."""
    plain, path = folder / "plain.dcm", folder / "object.dcm"
    folder.mkdir(parents=True, exist_ok=True)
    plain.write_bytes(data)
    if syntax == "explicit":
        return plain
    tool, *options = ENCODERS[syntax]
    done = run([tool, *options, plain, path])
    assert done.returncode == 0, done.stderr
    return path


def shown_by_dcmtk(path: Path, asked: tuple[str, ...]) -> np.ndarray:
    """DCMTK's 8-bit picture as gray (H, W); colour by BT.601 luma."""
    done = run(["dcmj2pnm", "-O", *asked, path])
    if not done.stdout:
        done = run(["dcml2pnm", "-O", *asked, path])  # the one for JPEG-LS
    picture = cv2.imdecode(np.frombuffer(done.stdout, np.uint8), cv2.IMREAD_UNCHANGED) if done.stdout else None
    assert picture is not None, done.stderr
    return picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


@needs_dcmtk
def test_no_gray_level_differs_from_dcmtk_by_more_than_one(tmp_path: Path) -> None:
    matrix = variants()
    assert len(matrix) >= 200

    def difference(place: int) -> tuple[str, int]:
        variant = matrix[place]
        path = encoded(object_of(variant), variant.syntax, tmp_path / str(place))
        expected = shown_by_dcmtk(path, variant.asked)
        scan = decode_scan(path.read_bytes(), variant.name) if variant.frame is None else read_slice(path, variant.frame)
        return variant.name, int(np.abs(scan.gray.astype(int) - expected).max())

    with ThreadPoolExecutor(4) as pool:
        differences = list(pool.map(difference, range(len(matrix))))
    assert {name: worst for name, worst in differences if worst > 1} == {}
