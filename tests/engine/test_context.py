"""What a stage may read and write."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact
from pipeline.engine.errors import ContractError, CorruptArtifactError, MissingArtifactError
from pipeline.engine.progress import Reporter

OUTPUTS = {
    item.name: item
    for item in (
        Artifact("features", "features.npy", ("N", "F"), "float32"),
        Artifact("labels", "labels.npy", ("N",), "int64"),
        Artifact("pair", "pair.npy", ("P", 2)),
        Artifact("shares", "shares.npy", ("N", "K?"), "float32"),
        Artifact("table", "table.csv"),
        Artifact("report", "deep/report.json"),
        Artifact("figure", "figure.png"),
    )
}


@pytest.fixture
def context(tmp_path):
    (tmp_path / "ids.csv").write_text("id,patient,score\n001,007,0.1\n002,,0.30000000000000004\n")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "staging").mkdir()
    return Context(
        config=None,
        seed=1,
        data=None,
        flags=frozenset(),
        inputs={"ids": tmp_path / "ids.csv", "bad": tmp_path / "bad.json"},
        optional=("masks",),
        outputs=OUTPUTS,
        staging=tmp_path / "staging",
        scratch=tmp_path / "scratch",
        reporter=Reporter(quiet=True),
    )


def test_arrays_are_checked_against_their_declaration(context):
    context.save("features", np.zeros((4, 3), np.float32))
    context.save("labels", np.zeros(4, np.int64))
    assert np.load(context.output("features")).shape == (4, 3)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("features", np.zeros((4, 3)), "declared float32, but is float64"),
        ("features", np.zeros(4, np.float32), r"declared \('N', 'F'\)"),
        ("pair", np.zeros((4, 3)), r"declared \('P', 2\)"),
        ("feature", np.zeros(1), "Did you mean 'features'"),
    ],
)
def test_arrays_that_are_not_as_declared(context, name, array, words):
    with pytest.raises(ContractError, match=words):
        context.save(name, array)


def test_equal_symbols_are_equal_sizes(context):
    context.save("features", np.zeros((4, 3), np.float32))
    with pytest.raises(ContractError, match="N is 5 here, but 4 in 'features'"):
        context.save("labels", np.zeros(5, np.int64))


def test_inputs_must_be_declared(context):
    assert context.has("ids") and not context.has("masks")
    with pytest.raises(ContractError, match="Did you mean 'ids'"):
        context.input("idz")
    with pytest.raises(MissingArtifactError, match="masks"):
        context.input("masks")
    with pytest.raises(CorruptArtifactError, match=r"bad\.json"):
        context.load_json("bad")


def test_tables_keep_ids_and_digits(context):
    frame = context.load_csv("ids", text=("id", "patient"))
    assert frame["id"].tolist() == ["001", "002"] and frame["patient"].tolist() == ["007", ""]
    context.save_csv("table", frame)
    assert context.output("table").read_text() == "id,patient,score\n001,007,0.1\n002,,0.30000000000000004\n"


def test_json_is_sorted_and_strict(context):
    values = {
        "b": np.float32(0.5),
        "a": [float("nan"), np.inf, np.int64(3)],
        "c": np.arange(2),
        "d": (1, None),
    }
    context.save_json("report", values)
    text = context.output("report").read_text()
    assert json.loads(text) == {"a": [None, None, 3], "b": 0.5, "c": [0, 1], "d": [1, None]}
    assert text.index('"a"') < text.index('"b"') and text.startswith('{\n  "a"') and text.endswith("}\n")
    with pytest.raises(TypeError, match="object"):
        context.save_json("report", {"x": object()})


def test_equal_figures_give_equal_bytes_without_versions(context):
    written = []
    for _ in range(2):
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([1, 2])
        context.save_figure("figure", figure)
        written.append(context.output("figure").read_bytes())
    assert written[0] == written[1]
    assert written[0].startswith(b"\x89PNG") and b"atplotlib" not in written[0]


def test_scratch_is_made_on_demand(context, tmp_path):
    assert not (tmp_path / "scratch").exists()
    assert context.scratch.is_dir()


def test_warnings_are_kept_once(context):
    context.warn("odd")
    context.warn("odd")
    assert context.warnings == ["odd"]


@pytest.mark.parametrize("file", ["/tmp/x.npy", "../x.npy", "manifest.json", ""])
def test_artifacts_stay_in_their_folder(file):
    with pytest.raises(ContractError):
        Artifact("x", file)


def test_a_last_axis_that_may_lack_is_one_size_where_it_is_there(context):
    context.save("shares", np.zeros(4, np.float32))
    context.save("shares", np.zeros((4, 3), np.float32))
    for shape in ((4, 2), (5, 3), (4, 3, 1), ()):
        with pytest.raises(ContractError):
            context.save("shares", np.zeros(shape, np.float32))
