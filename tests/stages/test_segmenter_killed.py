"""A run of s07 that is killed outright and started again ends with the bytes of one that was left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.waiting import HANGS_S

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = """\
system: radiography_unet
seed: 3
s01:
  data: {layout: class_masks}
  positive_class: B
  profiles: {plain: {modality: xray, size: 32}}
  lung_masks: [plain]
  sample_sheet: false
s07:
  profile: plain
  architecture: {channels: [4, 8], decoded_channels: 4}
  fit: {early_sizes: [{image_size: 16, epochs: 5}], epochs: 15, batch_size: 8, learning_rate: 3.0e-3}
"""
# The state is kept after every epoch, not only every 10 seconds, so that there is one to go on from.
DRIVER = """\
import functools, sys
from pipeline.cli.app import main
from pipeline.training.epoch_state import EpochState
from stages.s01_preprocessing import STAGE as S01
from stages.s07_segmenter import STAGE as S07
EpochState.save = functools.partialmethod(EpochState.save, force=True)
raise SystemExit(main((S01, S07)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("killed")
    chance = np.random.default_rng(0)
    for label, name in enumerate("AB"):
        for kind in ("images", "masks"):
            (root / "scans" / name / kind).mkdir(parents=True)
        for number in range(20):
            gray, mask = chance.integers(0, 60, (32, 32), np.uint8), np.zeros((32, 32), np.uint8)
            mask[4 + 8 * label : 18 + 8 * label, 8:24] = 255
            gray[mask > 0] += 150
            cv2.imwrite(str(root / "scans" / name / "images" / f"{number}.png"), gray)
            cv2.imwrite(str(root / "scans" / name / "masks" / f"{number}.png"), mask)
    (root / "c.yaml").write_text(CONFIG)
    (root / "driver.py").write_text(DRIVER)
    return root


def started(folder: Path, name: str) -> subprocess.Popen:
    command = [sys.executable, str(folder / "driver.py"), "run", "-c", str(folder / "c.yaml"), "--data", str(folder / "scans"),
               "--out", str(folder / name)]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)


def weights(folder: Path, name: str) -> dict[str, bytes]:
    run = folder / name / "s07_segmenter"
    return {path.name: path.read_bytes() for path in [*run.glob("*.h5"), *run.glob("checkpoints/*.h5"), *run.glob("*.csv")]}


@pytest.mark.posix
def test_killed_and_started_again(folder):
    whole = started(folder, "whole")
    assert "epoch 20 (32 px)" in whole.communicate(timeout=HANGS_S)[1] and whole.returncode == 0
    killed = started(folder, "killed")
    for line in killed.stderr:
        if "epoch 7 (32 px)" in line:
            killed.send_signal(signal.SIGKILL)
            break
    killed.stderr.close()
    assert killed.wait(timeout=HANGS_S) == -signal.SIGKILL
    again = started(folder, "killed")
    told = again.communicate(timeout=HANGS_S)[1]
    assert again.returncode == 0 and "epoch 20 (32 px)" in told
    assert "epoch 5 (16 px)" not in told, "it began anew instead of going on"
    mine, theirs = weights(folder, "killed"), weights(folder, "whole")
    assert mine.keys() == theirs.keys() and len(mine) >= 4
    assert mine == theirs
