"""Whatever a command writes, it does not write among the scans that it is given, or that its run was made from."""

from __future__ import annotations

import json

import pytest
from made_runs import classifier_run

WORDS = {
    "run": "run -c {config} --data {data} --out {out}",
    "plan": "plan -c {config} --data {data} --out {out}",
    "classify": "classify {data} --out {out}",
    "classify, a folder of it": "classify {data}/A --out {data}/A/out",
    "classify, features": "classify {data} --features {out}/features.npy",
    "segment": "segment {data} --out {out}",
    "predict": "predict --ct {data} --gradcam {out}",
    "evaluate": "evaluate --data {data} --out {out}",
    "inspect": "data inspect {data} --out {out}",
    "prepare": "data prepare --data {data} -c {config} --out {out}",
    "reorganize": "data reorganize --data {data} --out {out}",
    "export, of the run": "export --run {run} --out {out}",
    "compare, of the run": "compare --run {run} --out {out}",
    "classify, of the run": "classify {file} --run {run} --out {out}",
}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_an_output_inside_the_data_is_refused_and_nothing_is_written(words, command, tmp_path):
    from pipeline.cli import app
    from stages import STAGES

    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere.png"
    (data / "A").mkdir(parents=True)
    elsewhere.write_bytes(b"x")
    run = classifier_run(tmp_path / "run", [n % 3 for n in range(24)])
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"data": str(data)}))
    config = tmp_path / "config.yaml"
    config.write_text("system: x\ns01: {profiles: {a: {modality: xray, size: 64}}}\n")
    places = {"config": config, "data": data, "out": data / "new" / "out", "run": run, "file": elsewhere}
    code = app.main(STAGES, [word.format(**places) for word in words.split()])
    assert code == 2
    assert [path.relative_to(data).as_posix() for path in data.rglob("*")] == ["A"]


def test_the_data_folder_itself_is_inside(command, tmp_path):
    code, _, err = command("classify", tmp_path, "--out", tmp_path)
    assert code == 2 and "lies inside the data, which is never written to" in err
