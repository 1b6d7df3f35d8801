"""Every system's export reads a run whose artifacts are what their stages committed, of one system or of one that is named."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import systems
from pipeline.cli.app import main
from pipeline.engine.contract import Artifact
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StaleArtifactError, UsageError
from pipeline.engine.files import sha256_file, write_json
from pipeline.engine.manifest import Manifest, describe_output
from pipeline.export.template import Exporter, ExportOptions

sys.path.insert(0, str(Path(__file__).parent))  # the tiny runs lie beside this file

# the artifact that is spoilt, which the export reads first of those that are the system's own
FIRST_READ = {
    "respiratory_mtl": "s05_classifier_head/choice.json",
    "radiography_unet": "s07_segmenter/unet.weights.h5",
    "classifier": "s08_classifier/classifier.json",
    "vision_text": "s09_vision_text/text_encoder.weights.h5",
}


def write_fake_run(folder: Path, stage: str, artifacts: dict[str, str], system: str = "whatever") -> Path:
    """s01 with a data set, and a stage of artifacts that nobody could load."""
    stages = {"s01_preprocessing": {"dataset": "dataset.json"}, stage: artifacts}
    for name, files in stages.items():
        (folder / name).mkdir(parents=True)
        for file in files.values():
            write_json(folder / name / file, {"class_names": ["A", "B"], "profiles": {}, "settings": {}, "file": file})
    dataset = sha256_file(folder / "s01_preprocessing" / "dataset.json")
    for name, files in stages.items():
        outputs = {artifact: describe_output(folder / name, Artifact(artifact, file)) for artifact, file in files.items()}
        inputs = {} if name.startswith("s01") else {"dataset": dataset}
        Manifest(name, {}, 1, "code", {}, inputs, "", 0, outputs, 1.0, [], packages={}).write(folder / name)
    write_json(folder / "run.json", {
        "schema_version": 1, "data": None, "command": "python run_pipeline.py run", "config": {"system": system, "seed": 1},
        "stages": [{"name": name, "artifacts": sorted(files)} for name, files in stages.items()],
    })  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def runs(finished_run, tmp_path_factory):
    from tiny_classifier_run import write_classifier_run
    from tiny_segmenter_run import small_unet, write_run

    place = tmp_path_factory.mktemp("runs")
    write_classifier_run(place / "classifier")
    networks = ("patch_backbone", "text_encoder", "fusion")
    stored = {f"{name}_{part}": f"{name}.{end}" for name in networks for part, end in
              (("weights", "weights.h5"), ("architecture", "json"))}  # fmt: skip
    return {
        "respiratory_mtl": finished_run,
        "radiography_unet": write_run(place / "unet", small_unet()),
        "classifier": place / "classifier",
        "vision_text": write_fake_run(place / "fusion", "s09_vision_text", {"fusion_recipe": "fusion_recipe.json", **stored}),
    }


@pytest.fixture(params=FIRST_READ)
def system(request):
    return systems.system_named(request.param)


@pytest.fixture
def own(runs, system, tmp_path):
    return shutil.copytree(runs[system.name], tmp_path / "run")


def test_an_edited_artifact_is_refused(system, own, monkeypatch):
    from pipeline.export.checked_run import CheckedRun

    path = own / FIRST_READ[system.name]
    changed = bytearray(path.read_bytes())
    changed[-2] ^= 1
    path.write_bytes(changed)
    if system.name == "vision_text":  # nothing of the made-up run can be loaded; what is spoilt is read all the same
        real = CheckedRun.network_files
        monkeypatch.setattr(CheckedRun, "load_network", lambda run, name: real(run, name))
    with pytest.raises(CorruptArtifactError, match=f"{path.name} was changed after it was made.*--force"):
        system.load("exporter").of_run(own)


def test_a_stage_made_from_older_artifacts_is_refused(system, own):
    path = own / FIRST_READ[system.name].partition("/")[0] / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["inputs"]["dataset"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(StaleArtifactError, match="was made from another 'dataset' than s01_preprocessing now holds"):
        system.load("exporter").of_run(own)


def test_a_file_that_is_gone_is_told(system, own, monkeypatch):
    from pipeline.export.checked_run import CheckedRun

    (own / FIRST_READ[system.name]).unlink()
    if system.name == "vision_text":
        monkeypatch.setattr(CheckedRun, "load_network", lambda run, name: CheckedRun.network_files(run, name))
    with pytest.raises(MissingArtifactError, match="is missing"):
        system.load("exporter").of_run(own)


def test_a_run_without_its_system_is_refused(system, runs):
    other = next(run for name, run in runs.items() if name != system.name)
    with pytest.raises(MissingArtifactError, match=f"holds no finished {system.name}; it has "):
        system.load("exporter").of_run(other)


def test_an_option_that_a_system_does_not_take_is_refused(system, runs):
    exporter = system.load("exporter")
    every = {"keras": True, "card": "text", "opset": 15, "layout": "NCHW", "positive_index": 1}
    for name in every.keys() - exporter.TAKES:
        with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} is not for a bundle of {system.name}"):
            exporter.of_run(runs[system.name], ExportOptions(**{name: every[name]}))


@pytest.fixture
def two_systems(runs, tmp_path):
    """A classifier's run in which s07 has left a UNet too."""
    run = shutil.copytree(runs["classifier"], tmp_path / "run")
    shutil.copytree(runs["radiography_unet"] / "s07_segmenter", run / "s07_segmenter")
    path = run / "s07_segmenter" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["inputs"]["dataset"] = sha256_file(run / "s01_preprocessing" / "dataset.json")
    path.write_text(json.dumps(manifest))
    return run


def test_of_two_systems_one_must_be_named(two_systems, tmp_path, capsys):
    words = ["export", "--run", str(two_systems), "--out", str(tmp_path / "b")]
    assert main((), words) == 2
    said = capsys.readouterr().err
    assert "holds radiography_unet and classifier" in said and "--system" in said
    assert main((), [*words, "--system", "clasifier"]) == 2
    assert "Did you mean 'classifier'?" in capsys.readouterr().err and not (tmp_path / "b").exists()
    assert main((), [*words, "--system", "vision_text"]) == 3
    assert main((), [*words, "--system", "classifier"]) == 0
    assert json.loads((tmp_path / "b" / "bundle.json").read_text())["system"] == "classifier"


class FifthExporter(Exporter):
    """A system that nobody has heard of: one array, and its parity with itself."""

    SYSTEM = "fifth"
    TAKES = frozenset()

    @classmethod
    def read_run(cls, run_dir):
        from pipeline.export.checked_run import CheckedRun

        return CheckedRun(run_dir)

    def document(self):
        return {"class_names": self.source.dataset["class_names"]}

    def write_graphs(self, folder):
        np.save(folder / "weights.npy", np.arange(3))

    def check_parity(self, folder, document):
        return {"checks": {}}

    def card(self, document, files):
        return f"# {document['system']}: {', '.join(files)}\n"


def test_a_fifth_system_is_exported_by_its_row_alone(tmp_path, monkeypatch, capsys):
    run = write_fake_run(tmp_path / "run", "s55_fifth", {"fifth_weights": "weights.json"})
    row = systems.System("fifth", "guess", "fifth_weights", f"{__name__}:FifthExporter", "", "", "", None, "guess --bundle {}")
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys.modules[FifthExporter.__module__])
    monkeypatch.setattr(systems, "SYSTEMS", (*systems.SYSTEMS, row))
    assert main((), ["export", "--run", str(run), "--out", str(tmp_path / "b")]) == 0
    assert "guess --bundle" in capsys.readouterr().out
    assert (tmp_path / "b" / "MODEL_CARD.md").read_text() == "# fifth: weights.npy\n"
    (run / "s55_fifth" / "weights.json").write_text("{}")
    document = json.loads((tmp_path / "b" / "bundle.json").read_text())
    assert set(document["files"]) == {"MODEL_CARD.md", "weights.npy"} and document["parity"] == {"checks": {}}
    assert main((), ["export", "--run", str(run), "--out", str(tmp_path / "b"), "--opset", "15"]) == 2
    assert "--opset is not for a bundle of fifth" in capsys.readouterr().err
