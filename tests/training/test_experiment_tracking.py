"""What MLflow is told of a run, and what stays in the run's folder."""

import sys

import numpy as np
import pytest

from pipeline.engine.contract import Artifact
from pipeline.engine.errors import MissingArtifactError, MissingPackageError, UsageError
from pipeline.engine.files import write_json
from pipeline.engine.manifest import Manifest, describe_output
from pipeline.training.experiment_tracking import refuse_tracking, track_run


@pytest.fixture
def run(tmp_path):
    """One stage with a figure of metrics, a history, an array and a table of patients."""
    stage = tmp_path / "run" / "s08_classifier"
    stage.mkdir(parents=True)
    interval = {"value": 0.9, "low": 0.8, "high": None}
    write_json(stage / "metrics.json", {"test": {"rows": 5, "metrics": {"accuracy": interval, "auc (macro)": interval}}})
    write_json(stage / "history.json", {"head": {"best_epoch": 1, "loss": [0.7, 0.5, 0.4]}})
    (stage / "roc.png").write_bytes(b"picture")
    (stage / "predictions.csv").write_text("id,patient_id\n1,someone\n")
    np.save(stage / "probabilities.npy", np.zeros(3, np.float32))
    files = {"classifier_metrics": "metrics.json", "classifier_history": "history.json", "classifier_figure_roc": "roc.png",
             "classifier_predictions": "predictions.csv", "classifier_probabilities": "probabilities.npy"}  # fmt: skip
    outputs = {name: describe_output(stage, Artifact(name, file)) for name, file in files.items()}
    Manifest("s08_classifier", {}, 1, "code", {}, {}, "", 0, outputs, 1.0, []).write(stage)
    config = {"system": "pneumonia_binary", "seed": 7, "s08": {f"key_{n}": n for n in range(150)} | {"fit": {"epochs": 3}}}
    write_json(tmp_path / "run" / "run.json", {
        "schema_version": 1, "data": None, "command": "python run_pipeline.py run", "config": config,
        "stages": [{"name": "s08_classifier", "artifacts": sorted(files)}],
    })  # fmt: skip
    return tmp_path / "run"


def test_configuration_figures_curves_and_pictures_are_told(run, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "mlruns").as_uri()
    identity = track_run(run, uri, "trials")
    client = MlflowClient(uri)
    told = client.get_run(identity)
    assert told.data.params["s08.fit.epochs"] == "3" and told.data.params["system"] == "pneumonia_binary"
    assert len(told.data.params) == 153 and told.info.status == "FINISHED" and told.info.run_name == "run"
    assert told.data.metrics["classifier_metrics.test.metrics.accuracy"] == 0.9
    assert told.data.metrics["classifier_metrics.test.metrics.accuracy.low"] == 0.8
    assert "classifier_metrics.test.metrics.accuracy.high" not in told.data.metrics
    assert told.data.metrics["classifier_metrics.test.metrics.auc _macro_"] == 0.9
    curve = client.get_metric_history(identity, "classifier_history.head.loss")
    assert [(point.step, point.value) for point in curve] == [(0, 0.7), (1, 0.5), (2, 0.4)]
    sent = {file.path for file in client.list_artifacts(identity, "s08_classifier")}
    assert sent == {"s08_classifier/roc.png", "s08_classifier/metrics.json", "s08_classifier/history.json"}
    track_run(run, uri, "trials")
    assert len(client.search_runs([told.info.experiment_id])) == 2


def test_a_database_file_does_in_the_place_of_a_server(run, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)  # MLflow puts the files beside
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    identity = track_run(run, uri, "trials")
    assert MlflowClient(uri).get_run(identity).data.metrics["classifier_metrics.test.metrics.accuracy"] == 0.9


def test_without_mlflow_the_package_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingPackageError, match=r"mlflow is not installed: pip install '.\[tracking\]'"):
        track_run(run, "sqlite:///x.db")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(MissingArtifactError):
        track_run(tmp_path, "sqlite:///x.db")


@pytest.mark.parametrize("address", ["x://y", "ftp://127.0.0.1/mlflow"])
def test_an_address_that_mlflow_cannot_record_to_is_refused_before_and_after(run, address):
    for ask in (refuse_tracking, lambda uri: track_run(run, uri)):
        with pytest.raises(UsageError, match=r"MLflow cannot record to '(x|ftp)://.*"):
            ask(address)


def test_an_address_that_takes_records_is_not_refused_and_gets_none(tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    refuse_tracking(uri)
    assert [one.name for one in MlflowClient(uri).search_experiments()] == ["Default"]
