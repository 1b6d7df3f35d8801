"""A hundred scans through the service, beside each other, through the command line and through Python: the same answers."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from served import ROOT, noise, serving

from pipeline import open_bundle
from pipeline.cli.app import main
from pipeline.service.settings import ServiceSettings
from stages import STAGES

OPEN, EQUAL = {"gate": "false"}, 1e-6


def write_scans(folder: Path, count: int, make) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number:03}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(make(number))
    return paths


def phantom(number: int) -> bytes:
    from pipeline.data.phantom import make_patient
    from pipeline.inference.pictures import png_bytes

    return png_bytes(make_patient(number, "covid" if number % 2 else "normal").xray)


def by_command(folder: Path, bundle: Path, out: Path) -> list[dict[str, float]]:
    assert main(STAGES, ["classify", str(folder), "--bundle", str(bundle), "--no-gate", "--out", str(out), "--quiet"]) == 0
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as table:
        rows = sorted(csv.DictReader(table), key=lambda row: row["image"])
    return [{name[5:]: float(value) for name, value in row.items() if name.startswith("prob_")} for row in rows]


def worst_difference(bundle: Path, scans: list[Path], out: Path) -> float:
    """The largest between any two of the three, of any class."""
    opened = open_bundle(bundle, gate=False)
    python = [dict(opened.answer(scan).probabilities) for scan in scans]
    command = by_command(scans[0].parent, bundle, out)
    with serving(ServiceSettings(bundles=(bundle,), answering=4, waiting=200)) as client, ThreadPoolExecutor(8) as threads:
        def ask(scan: Path) -> dict[str, float]:
            return client.post("/predict", files={"file": scan.read_bytes()}, data=OPEN).json()["probabilities"]

        service = list(threads.map(ask, scans))
    rows = [[list(answer.values()) for answer in each] for each in (python, command, service)]
    assert all(list(a) == list(b) == list(c) for a, b, c in zip(python, command, service, strict=True))
    return float(np.ptp(np.array(rows), axis=0).max())


def test_a_hundred_scans(tmp_path):
    from tiny_classifier import write_classifier

    scans = write_scans(tmp_path / "scans", 100, lambda number: noise(number, 48 + number % 40))
    assert worst_difference(write_classifier(tmp_path / "gentle", steepness=1 / 16), scans, tmp_path / "out") <= EQUAL


@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["pneumonia_binary", "pneumonia_three_class"])
def test_a_hundred_scans_through_what_is_shipped(bundle, tmp_path, capsys):
    scans = write_scans(tmp_path / "scans", 100, phantom)
    worst = worst_difference(ROOT / "pretrained" / bundle, scans, tmp_path / "out")
    with capsys.disabled():
        print(f"\n{bundle}: {worst:.1e}")
    assert worst <= EQUAL
