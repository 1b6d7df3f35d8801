"""`describe s08 --augmentations` draws a picture, and says where it cannot."""

from __future__ import annotations

import cv2
import pytest

from pipeline.cli.app import main
from stages import STAGES


def test_it_draws_the_defaults_and_a_configuration(tmp_path, capsys):
    plain, chosen = tmp_path / "plain.png", tmp_path / "chosen.png"
    assert main(STAGES, ["describe", "s08", "--augmentations", "--picture", str(plain)]) == 0
    words = ["describe", "s08", "-c", "configs/pneumonia_binary.yaml", "--augmentations", "--picture", str(chosen)]
    assert main(STAGES, words) == 0
    assert str(chosen) in capsys.readouterr().out
    first, second = (cv2.imread(str(path)) for path in (plain, chosen))
    assert first.shape[0] > second.shape[0], "that configuration mirrors and does nothing else: fewer rows"


@pytest.mark.parametrize("words", [["describe", "s07", "--augmentations"], ["describe", "s01", "--augmentations"]])
def test_a_stage_without_one_says_so(words, capsys):
    assert main(STAGES, words) == 2
    assert "no augmentation to draw" in capsys.readouterr().err


def test_the_scan_is_never_written_over(tmp_path, capsys):
    scan = tmp_path / "scan.png"
    scan.write_bytes(b"a scan")
    assert main(STAGES, ["describe", "s08", "--augmentations", "--image", str(scan), "--picture", str(scan)]) == 2
    assert scan.read_bytes() == b"a scan"
