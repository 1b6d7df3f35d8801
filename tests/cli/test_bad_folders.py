"""Folders as they come: bad files among good ones, names that no table takes, links and thumbnails, copies under two classes."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.cli import app as command_line
from pipeline.cli import classify_command

INFERENCE_TESTS = Path(__file__).parents[1] / "inference"
NOT_UTF8 = os.fsdecode(b"caf\xed.png")
LONG = "n" * 251 + ".png"


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(INFERENCE_TESTS)
    from tiny_classifier import write_classifier

    return write_classifier(tmp_path / "bundle")


@pytest.fixture
def call(capsys):
    def run(*words):
        code = command_line.main((), list(map(str, words)))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def scan(seed: int, side: int = 48) -> np.ndarray:
    chance = np.random.default_rng(seed)
    coarse = cv2.resize(chance.uniform(20, 230, (6, 6)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + chance.normal(0, 4, coarse.shape), 0, 255).astype(np.uint8)


def encoded(kind: str, seed: int = 0) -> bytes:
    return cv2.imencode(kind, scan(seed))[1].tobytes()


def two_pages() -> bytes:
    import io

    pages = [Image.fromarray(scan(seed)) for seed in (1, 2)]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])
    return stream.getvalue()


def wrong_checksum() -> bytes:
    content = bytearray(encoded(".png"))
    content[len(content) // 2] ^= 0x40
    return bytes(content)


BAD = {
    "empty.png": (lambda: b"", "empty file"),
    "text.png": (lambda: b"this was a text\n" * 20, "content is text"),
    "cut.png": (lambda: encoded(".png")[:400], "truncated PNG"),
    "cut.jpg": (lambda: encoded(".jpg")[:-60], "truncated JPEG"),
    "checksum.png": (wrong_checksum, "corrupt PNG"),
    "small.png": (lambda: cv2.imencode(".png", scan(0, 8))[1].tobytes(), "8x8 pixels"),
    "pages.tif": (two_pages, "2 pages"),
    "header.dcm": (lambda: bytes(128) + b"DICM", "header.dcm"),
    "gif.png": (lambda: b"GIF89a" + bytes(range(200)), "not a scan"),
    "report.dcm": (lambda: b"%PDF-1.7\n" + bytes(range(256)), "not a scan"),
}


def folder_of(root: Path, good: int, bad: int) -> dict[str, str]:
    """{bad file: what its error says}; the good ones are called n.png, two of them as no table likes it."""
    root.mkdir()
    names = [NOT_UTF8, LONG, *(f"{number}.png" for number in range(good - 2))]
    for seed, name in enumerate(names):
        (root / name).write_bytes(encoded(".png", seed))
    told = {}
    for number in range(bad):
        name, (write, said) = list(BAD.items())[number % len(BAD)]
        (root / f"bad{number}_{name}").write_bytes(write())
        told[f"bad{number}_{name}"] = said
    return told


@pytest.mark.parametrize(("good", "bad"), [(45, 5), (475, 25)])
def test_bad_files_cost_the_good_ones_nothing(bundle, tmp_path, call, good, bad):
    told = folder_of(tmp_path / "scans", good, bad)
    out = tmp_path / "out"
    code, _, err = call("classify", "--bundle", bundle, tmp_path / "scans", "--out", out, "--quiet")
    assert code == 0 and f"{bad} of {good + bad} images have no answer" in err and "report it" not in err
    with (out / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["image"]: row for row in csv.DictReader(stream)}
    assert len(rows) == good + bad and {"caf\\xED.png", LONG} <= set(rows)
    failed = {name: row["error"] for name, row in rows.items() if row["error"]}
    assert set(failed) == set(told) and all(told[name] in error for name, error in failed.items())
    assert all(bool(row["predicted"]) == (name not in told) for name, row in rows.items())


def test_overlays_of_names_that_are_long_or_not_utf8(bundle, tmp_path, call):
    folder_of(tmp_path / "scans", 3, 0)
    out = tmp_path / "out"
    code, words, err = call("classify", "--bundle", bundle, tmp_path / "scans", "--out", out, "--gradcam", "--json")
    assert code == 0, err
    assert {answer["image"] for answer in json.loads(words)["answers"]} == {"caf\\xED.png", LONG, "0.png"}
    pictures = sorted(path.name for path in out.glob("*.png"))
    assert len(pictures) == 3 and all(cv2.imdecode(np.fromfile(out / name, np.uint8), 0) is not None for name in pictures)
    assert any(len(name) < 230 and name.startswith("nnn") and "~" in name for name in pictures)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("a bug"), MemoryError])
def test_what_was_answered_is_on_disk_when_a_later_file_fails(bundle, tmp_path, call, monkeypatch, error):
    folder_of(tmp_path / "scans", 12, 0)
    read, seen = classify_command.read_scan, []

    def stop(path, **asked):
        seen.append(path)
        if len(seen) == 8:
            raise error
        return read(path, **asked)

    monkeypatch.setattr(classify_command, "read_scan", stop)
    words = ("classify", "--bundle", bundle, tmp_path / "scans", "--out", tmp_path / "out", "--quiet")
    if error is KeyboardInterrupt:
        assert call(*words)[0] == command_line.INTERRUPTED
    elif error is MemoryError:
        assert call(*words)[0] == 3
    else:
        with pytest.raises(type(error) if isinstance(error, Exception) else error):
            call(*words)
    with (tmp_path / "out" / "predictions.csv").open(newline="") as stream:
        assert len([row for row in csv.DictReader(stream) if row["predicted"]]) == 7


def labelled(root: Path) -> Path:
    for number in range(12):
        label = ("NORMAL", "PNEUMONIA")[number % 2]
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / label / f"{number}.png").write_bytes(encoded(".png", number))
    return root


def test_one_picture_under_two_classes_is_told_with_the_pair(bundle, tmp_path, call):
    root = labelled(tmp_path / "scans")
    (root / "PNEUMONIA" / "copy.bmp").write_bytes(encoded(".bmp", 0))
    (root / "PNEUMONIA" / "near.jpg").write_bytes(cv2.imencode(".jpg", np.ascontiguousarray(scan(2)[:, ::-1]))[1].tobytes())
    (root / "NORMAL" / "twice.png").write_bytes(encoded(".png", 4))
    code, words, err = call("evaluate", "--bundle", bundle, "--data", root, "--out", tmp_path / "out", "--json", "--quiet")
    warned = "\n".join(json.loads(words)["warnings"])
    assert code == 0, err
    assert "1 pictures have two classes" in warned and "NORMAL/0.png (NORMAL) = PNEUMONIA/copy.bmp (PNEUMONIA)" in warned
    assert "nearly one picture under two classes: NORMAL/2.png (NORMAL) = PNEUMONIA/near.jpg (PNEUMONIA)" in warned
    assert "1 pictures are there more than once, and count so often: NORMAL/4.png = NORMAL/twice.png" in warned


@pytest.mark.posix
def test_thumbnails_and_checkpoints_are_not_judged_and_said(bundle, tmp_path, call):
    root = labelled(tmp_path / "scans")
    for place in (".ipynb_checkpoints/0-checkpoint.png", "NORMAL/@eaDir/SYNO.png", "NORMAL/0_thumb.png", "PNEUMONIA/gone.png"):
        (root / place).parent.mkdir(exist_ok=True)
        (root / place).write_bytes(encoded(".png", 99))
    (root / "PNEUMONIA" / "gone.png").unlink()
    (root / "PNEUMONIA" / "gone.png").symlink_to(root / "nowhere.png")
    code, words, err = call("classify", "--bundle", bundle, root, "--json")
    assert code == 0 and json.loads(words)["images"] == 12
    assert "folders of systems and programs: 2" in err and "thumbnails: 1" in err and "PNEUMONIA/gone.png" in err
    code, words, _ = call("evaluate", "--bundle", bundle, "--data", root, "--out", tmp_path / "out", "--json", "--quiet")
    document = json.loads(words)
    assert code == 0 and document["images"] == 12
    assert any("links that lead nowhere" in warning for warning in document["warnings"])


def test_one_patient_gives_values_and_no_interval(bundle, tmp_path, call):
    root = labelled(tmp_path / "scans")
    rows = [f"{path.relative_to(root)},same" for path in sorted(root.rglob("*.png"))]
    (root / "patients.csv").write_text("\n".join(["image,patient_id", *rows]) + "\n")
    code, words, err = call("evaluate", "--bundle", bundle, "--data", root, "--out", tmp_path / "out", "--json", "--quiet")
    accuracy = json.loads(words)["metrics"]["accuracy"]
    assert code == 0 and 0 <= accuracy["value"] <= 1 and accuracy["low"] is accuracy["high"] is None, err
