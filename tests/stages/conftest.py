"""One tiny trained run, shared by all tests of the stages: 24 generated patients, a random backbone at 64 px."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.engine.commit import Staging

TINY = """\
system: respiratory_mtl
seed: 3
s01:
  data: {valid_fraction: 0.25}
  profiles:
    xray_plain: {modality: xray, size: 64}
    ct_plain: {modality: ct, size: 64}
s02:
  embedders:
    xray_task: {backbone: EfficientNetLite0, profile: xray_plain, weights: none}
    xray_shared: {backbone: EfficientNetLite0, profile: xray_plain, weights: none}
    ct_task: {backbone: EfficientNetLite0, profile: ct_plain, weights: none}
    ct_shared:
      backbone: EfficientNetLite0
      profile: ct_plain
      weights: none
      fine_tune: {after: block14_add, fit: {epochs: 1, batch_size: 16}}
  dropout: 0.2
  fit: {epochs: 1, batch_size: 16}
s03:
  fit: {epochs: 1, batch_size: 16}
s04:
  fit: {epochs: 1, batch_size: 32}
  adversarial: {epoch_budget: 2, batch_size: 32}
  finetune: {epochs: 1, batch_size: 32}
s05:
  fit: {epochs: 1, batch_size: 16}
s06: {seeds: 2, folds: 2, resamples: 100, permutations: 100}
"""


@dataclass(frozen=True)
class TinyRun:
    """Where the run, its scans and its configuration lie, and what the run did."""

    folder: Path
    data: Path
    config: Path
    outcomes: tuple


def artifact_bytes(run: Path, stages=("s01", "s02", "s03", "s04", "s05", "s06")) -> dict[str, bytes]:
    """The bytes of every array, weight file, table and JSON of the named stages, manifests apart, by path."""
    kinds = (".npy", ".h5", ".json", ".csv")
    files = [path for stage in stages for path in sorted(run.glob(f"{stage}_*/**/*")) if path.suffix in kinds]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files if path.name != "manifest.json"}


def open_below(folder: Path) -> list[str]:
    """The files of a folder that this process has open or mapped; [] where the system does not tell."""
    own = Path("/proc/self")
    if not own.is_dir():
        return []
    held = [line.split(maxsplit=5)[-1] for line in (own / "maps").read_text(encoding="utf-8").splitlines()]
    for descriptor in (own / "fd").iterdir():
        with suppress(OSError):
            held.append(os.readlink(descriptor))
    return sorted({path for path in held if path.startswith(f"{folder.resolve()}/")})


@pytest.fixture(scope="session", autouse=True)
def nothing_open_at_a_commit():
    """Windows renames no folder of which a file is open: no stage of these tests may still hold what it wrote."""
    commit = Staging.commit

    def watched(staging: Staging) -> None:
        assert open_below(staging.folder) == []
        commit(staging)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Staging, "commit", watched)
        yield


@pytest.fixture(scope="session")
def contents():
    return artifact_bytes


@pytest.fixture(scope="session")
def tiny_inputs(tmp_path_factory):
    from pipeline.data.phantom import write_dataset

    folder = tmp_path_factory.mktemp("tiny")
    write_dataset(folder / "scans", 24, seed=5, size=96, workers=1)
    (folder / "tiny.yaml").write_text(TINY)
    return folder / "scans", folder / "tiny.yaml"


@pytest.fixture(scope="session")
def run_tiny(tiny_inputs):
    """``run_tiny(folder, **selection)``: the tiny configuration on the tiny scans, in this process."""
    from pipeline.engine.config import load_run_config
    from pipeline.engine.runner import run_pipeline
    from stages import STAGES

    def run(folder: Path, **selection) -> TinyRun:
        data, config = tiny_inputs
        outcomes = run_pipeline(load_run_config(config, STAGES), STAGES, folder, data, **selection)
        return TinyRun(folder, data, config, tuple(outcomes))

    return run


@pytest.fixture(scope="session")
def tiny_run(run_tiny, without_graphs, tmp_path_factory):
    """All six stages, not compiled."""
    with without_graphs():
        return run_tiny(tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture(scope="session")
def compiled_run(run_tiny, tmp_path_factory):
    """All six stages as users run them; for the slow tests."""
    return run_tiny(tmp_path_factory.mktemp("runs") / "compiled")
