"""Every message that docs/troubleshooting.md quotes is what the program prints: each is provoked."""

from __future__ import annotations

import contextlib
import errno
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli.app import main
from pipeline.engine.lock import run_lock
from stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTES = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
DEMO, PRETRAINED = ROOT / "configs" / "demo.yaml", ROOT / "pretrained"
LARGER = ("--set", "s01.profiles.xray_plain.size=160")


def call(*words) -> str:
    """All that a command line says."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        main(STAGES, [str(word) for word in words])
    return said.getvalue()


def run_s01(data, out, *more) -> str:
    return call("run", "-c", DEMO, "--data", data, "--out", out, "--only", "s01", *more)


def raises(error):
    def fail(*_, **__):
        raise error

    return fail


def pattern_of(quote: str) -> str:
    return ".*".join(re.escape(part) for part in quote.strip("\n").split("…"))


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What a day of mistakes prints, one text a mistake."""
    from pipeline.data.phantom import write_dataset

    folder, patch = tmp_path_factory.mktemp("mistakes"), pytest.MonkeyPatch()
    write_dataset(folder / "scans", 8, 0, size=96, workers=1)
    (folder / "scans" / "manifest.csv").unlink()
    with patch.context() as inside:
        inside.chdir(folder)
        inside.setenv("COLUMNS", "400")
        inside.setattr(sys, "excepthook", sys.excepthook)
        xray, ct = (next(iter(sorted(Path(f"scans/{name}_Test/COVID").iterdir()))) for name in ("X_Ray", "CT_Scan"))
        of_answers = [*of_pictures(xray, ct), *of_bundles(xray), *of_devices(inside)]
        return [*of_starting(inside), *of_data(), *of_runs(inside), *of_answers]


def of_starting(patch) -> list[str]:
    entry = str(ROOT / "run_pipeline.py")
    start = f"import sys, runpy; sys.path.insert(0, {str(ROOT)!r}); runpy.run_path({entry!r}, run_name='__main__')"
    bare = subprocess.run([sys.executable, "-I", "-S", "-c", start], capture_output=True, text=True).stderr
    Path("bad.yaml").write_text("system: x\nseed: 1\ns01:\n  profils: {p: {modality: xray, size: 64}}\n")
    patch.setattr("socket.getaddrinfo", raises(OSError("Name or service not known")))
    texts = [bare, call("run", "-c", "bad.yaml", "--data", "scans"), call("data", "download", "radiography")]
    with patch.context() as inside:
        inside.setitem(sys.modules, "kagglehub", None)
        texts.append(call("data", "download", "radiography"))
    for name, version in (("3.10", "3.10"), ("3.12", "3.12"), ("venv/bin/python", "3.11")):
        program = Path(name).absolute()
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
        for asked in ("3.10", "3.12"):
            words = ["make", "-s", "python", f"VENV={Path('venv').absolute()}", f"PYTHON={Path(asked).absolute()}"]
            texts.append(subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stderr)
    return texts


def of_data() -> list[str]:
    Path("empty").mkdir()
    shutil.copytree("scans", "leaky")
    first = next(iter(sorted(Path("leaky/X_Ray_Train/COVID").iterdir())))
    shutil.copy(first, "leaky/X_Ray_Test/COVID/copy.png")
    shutil.copytree("scans", "renamed")
    Path("renamed/patients.csv").write_text("image,patient_id\nelsewhere.png,1\n")
    folders = ROOT / "configs" / "radiography_unet_folders.yaml"
    return [
        call("run", "-c", DEMO, "--data", "nowhere"), call("run", "-c", DEMO, "--data", "empty"),
        call("run", "-c", folders, "--data", "scans"), run_s01("leaky", "of_leaky"), run_s01("renamed", "of_renamed"),
        call("evaluate", "--data", "scans", "--out", "scans/judged"),
    ]  # fmt: skip


def of_runs(patch) -> list[str]:
    texts = [run_s01("scans", "first")]
    of_s02 = ("run", "-c", DEMO, "--data", "scans", "--only", "s02", "--out")
    with run_lock(Path("first")):
        texts.append(run_s01("scans", "first", "--force"))
    texts += [call(*of_s02, "first", *LARGER), call(*of_s02, "second"), call("export", "--run", "first", "--out", "bundle")]
    for error in (OSError(errno.ENOSPC, "No space left on device"), MemoryError("Unable to allocate 8.00 EiB")):
        with patch.context() as inside:
            inside.setattr("pipeline.engine.context.Context.save_json", raises(error))
            texts.append(run_s01("scans", "third"))
    index = Path("first/s01_preprocessing/scan_index.csv")
    index.write_text(index.read_text() + "more,xray,9,COVID,train,,,,0\n")
    return [*texts, call(*of_s02, "first")]


def of_pictures(xray: Path, ct: Path) -> list[str]:
    Path("pictures").mkdir()
    chance = np.random.default_rng(0)
    cv2.imwrite("pictures/flat.png", np.full((300, 300), 128, np.uint8))
    cv2.imwrite("smooth.png", np.tile(np.linspace(20, 230, 300).astype(np.uint8), (300, 1)))
    cv2.imwrite("coloured.png", chance.integers(0, 256, (300, 300, 3), np.uint8))
    Path("pictures/broken.png").write_bytes(xray.read_bytes()[:500])
    Path("pictures/text.png").write_text("hello")
    shutil.copy(xray, "pictures/scan.png")
    import nibabel

    levels = chance.normal(-800, 50, (64, 64, 4)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(levels, np.eye(4)), "air.nii.gz")
    return [
        call("classify", "pictures", "--no-gate"), call("predict", "--xray", ct), call("predict", "--xray", "coloured.png"),
        *(call("validate", name) for name in (xray, "coloured.png", "smooth.png")),
        call("predict", "--ct", "air.nii.gz", "--no-gate"),
        call("segment", xray, "--out", xray.parent, "--no-gate"),
    ]  # fmt: skip


def of_bundles(xray: Path) -> list[str]:
    shutil.copytree(PRETRAINED / "pneumonia_binary", "changed")
    with Path("changed/classifier.onnx").open("ab") as stream:
        stream.write(b"x")
    return [
        call("predict", "--bundle", PRETRAINED / "radiography_unet", "--xray", xray),
        call("evaluate", "--bundle", PRETRAINED / "pneumonia_binary", "--data", "scans", "--out", "judged"),
        call("classify", xray, "--bundle", "changed"),
    ]  # fmt: skip


def of_devices(patch) -> list[str]:
    """On a machine without an NVIDIA device, and on one whose onnxruntime is the processor's."""
    texts = []
    for has_driver in (False, True):
        patch.setattr("pipeline.inference.sessions.has_driver", lambda found=has_driver: found)
        patch.setattr("pipeline.inference.sessions.offers_cuda", lambda: False)
        texts.append(call("predict", "--device", "cuda"))
    return texts


@pytest.mark.parametrize("quote", QUOTES, ids=lambda quote: quote.strip().splitlines()[0][:60])
def test_a_quoted_message_is_printed(quote, said):
    expression = re.compile(rf"^{pattern_of(quote)}$", flags=re.MULTILINE)
    assert any(expression.search(text) for text in said), quote


def test_a_message_that_is_not_printed_is_found(said):
    assert not any(re.search(rf"^{pattern_of('error: The disk is half full.')}$", text, flags=re.MULTILINE) for text in said)
