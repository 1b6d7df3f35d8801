"""docs/outputs.md tells of every file and column that the commands write, and of no other: shipped bundles on phantoms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.data.csv_rows import read_rows
from pipeline.inference.answered_rows import write_findings_table
from tests.outputs_page import COLUMNS, FILES, check, check_table, rows_below, tables

PRETRAINED = Path(__file__).resolve().parents[2] / "pretrained"
# Phantoms' conditions under the names that the shipped bundles have for them.
OF_FOUR = {"normal": "NORMAL", "viral": "VIRAL", "bacterial": "BACTERIAL", "covid": "COVID"}


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    from pipeline.data.phantom import write_dataset

    folder = tmp_path_factory.mktemp("phantoms")
    write_dataset(folder, 12, 3, size=96, workers=1)
    return folder


@pytest.fixture
def rows(phantoms):
    """Those of the X-rays in the phantoms' manifest, four of each class of two."""
    found = [row for row in read_rows(phantoms / "manifest.csv") if row["modality"] == "xray"]
    return [row for label in ("COVID", "Non_COVID") for row in [row for row in found if row["label"] == label][:4]]


@pytest.fixture
def cases(rows, phantoms, tmp_path):
    """``cases(label of a row, *columns of the manifest)``: a table of labelled X-rays."""

    def write(label, **columns):
        path = tmp_path / "cases.csv"
        lines = [",".join(["image", "label", *columns])]
        for row in rows:
            cells = row | {"mask_path": str(phantoms / row["mask_path"]), "notes": row["notes"].replace(",", " ")}
            lines.append(",".join([str(phantoms / row["image"]), label(row), *(cells[name] for name in columns.values())]))
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def writes(command):
    """``writes(out, *words)``: the names of the files that a command line has made in its folder."""

    def run(out, *words):
        code, _, err = command(*words)
        assert code == 0, err
        return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())

    return run


def of_pairs(phantoms, tmp_path, **columns):
    table = tmp_path / "pairs.csv"
    rows = {(row["patient_id"], row["modality"]): row for row in read_rows(phantoms / "manifest.csv")}
    patients = ["P0001", "P0002"]
    lines = [",".join(["id", "xray", "ct", *columns])]
    for patient in patients:
        scans = [str(phantoms / rows[patient, modality]["image"]) for modality in ("xray", "ct")]
        lines.append(",".join([patient, *scans, *columns.values()]))
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def optional(heading, header=COLUMNS):
    return {name for name, always in rows_below(heading, header).items() if not always}


def test_tables_of_predict(phantoms, tmp_path, writes, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "inference")
    from tiny_bundle import write_bundle

    bundle, heading, seen = write_bundle(tmp_path / "bundle"), "`<out>` of `predict`", set()
    for columns in ({}, {"label": "COVID", "patient_id": "a", "patient_id_ct": "b"}):
        table = of_pairs(phantoms, tmp_path, **columns)
        writes(tmp_path, "predict", "--bundle", bundle, "--csv", table, "--out", tmp_path / "answers.csv")
        seen |= check_table(tmp_path / "answers.csv", heading)
    write_findings_table(tmp_path / "three.csv", [], ("A", "B", "C"))  # as of a bundle of three classes
    seen |= check_table(tmp_path / "three.csv", heading)
    assert optional(heading) <= seen


@pytest.mark.slow
def test_pictures_of_predict(phantoms, tmp_path, writes):
    scans, out = read_rows(of_pairs(phantoms, tmp_path))[0], tmp_path / "maps"
    found = writes(out, "predict", "--xray", scans["xray"], "--ct", scans["ct"], "--gradcam", out)
    assert check("predict", FILES, [*found, "<out>"]) == set(rows_below("predict", FILES))


def test_segment(rows, phantoms, tmp_path, writes):
    heading, seen = "`predictions.csv` of `segment`", set()
    sorted_folder = tmp_path / "classes" / "COVID" / "images"
    sorted_folder.mkdir(parents=True)
    (sorted_folder / "scan.png").write_bytes((phantoms / rows[0]["image"]).read_bytes())
    files = set()
    for number, words in enumerate([[phantoms / rows[0]["image"]], [tmp_path / "classes", "--masks", "--gradcam"]]):
        out = tmp_path / f"out{number}"
        files |= check("segment", FILES, writes(out, "segment", *words, "--out", out))
        seen |= check_table(out / "predictions.csv", heading)
    assert optional(heading) <= seen and optional("segment", FILES) <= files


def test_classify(rows, phantoms, tmp_path, writes):
    heading, seen, files = "`predictions.csv` of `classify`", set(), set()
    folder = tmp_path / "classes" / "NORMAL" / "images"
    folder.mkdir(parents=True)
    (folder / "scan.png").write_bytes((phantoms / rows[0]["image"]).read_bytes())
    image, lungs = phantoms / rows[0]["image"], ("--lungs", PRETRAINED / "radiography_unet")
    everything = [tmp_path / "classes", "--gradcam", "--gradcam-plus-plus", *lungs, "--shap"]
    named = tmp_path / "person1_virus_1.png"
    named.write_bytes(image.read_bytes())
    for number, words in enumerate([
        [image], everything, [image, "--bundle", PRETRAINED / "vision_text", "--note", "Fever and cough; COVID-19 suspected."],
        [named, "--per", "patient"],
    ]):  # fmt: skip
        out = tmp_path / f"out{number}"
        features = ["--features", out / "features.npy"] if words is everything else []
        found = writes(out, "classify", *words, "--out", out, *features)
        files |= check("classify", FILES, ["<features>" if name == "features.npy" else name for name in found])
        seen |= check_table(out / "predictions.csv", heading)
    assert optional(heading) <= seen and optional("classify", FILES) <= files


@pytest.mark.parametrize(
    ("kind", "bundle", "label", "columns", "written"),
    [
        ("a segmenter", "radiography_unet", OF_FOUR.get, {"mask": "mask_path"}, {"segmentation.csv", "dice.png"}),
        ("a classifier", "vision_text", None, {"note": "notes", "patient_id": "patient_id"}, {"precision_recall.png"}),
        ("X-ray and CT", "respiratory_mtl", None, {"patient_id": "patient_id"}, {"calibration.png"}),
    ],
)  # fmt: skip
def test_evaluate(kind, bundle, label, columns, written, cases, tmp_path, writes):
    def truth(row):
        if label is not None:
            return label(row["condition"])
        negative = json.loads((PRETRAINED / bundle / "bundle.json").read_text())["class_names"]
        return row["label"] if row["label"] == "COVID" else next(name for name in negative if name != "COVID")

    table, out = cases(truth, **columns), tmp_path / "out"
    if kind == "X-ray and CT":
        lines = table.read_text().splitlines()
        table.write_text("\n".join([f"{lines[0]},modality", *(f"{line},xray" for line in lines[1:])]) + "\n")
    found = writes(out, "evaluate", "--bundle", PRETRAINED / bundle, "--data", table, "--out", out)
    assert check("evaluate", FILES, found) & optional("evaluate", FILES) == written
    seen = check_table(out / "predictions.csv", f"`predictions.csv` of `evaluate`, {kind}")
    assert ("patient_id" in seen) == ("patient_id" in columns) and ("used" in seen) == ("note" in columns)
    if "segmentation.csv" in written:
        check_table(out / "segmentation.csv", "`segmentation.csv` of `evaluate`, a segmenter")


def test_readers_fairness_and_compare(tmp_path, writes):
    calls, answers = tmp_path / "calls.csv", tmp_path / "answers.csv"
    lines = [f"c{case},{reader},{arm},{case % 2 if case % 5 else arm},{case % 2}"
             for reader in ("Ada", "Ben") for case in range(20) for arm in (0, 1)]  # fmt: skip
    calls.write_text("\n".join(["case_id,reader_id,with_ai,call,truth", *lines]) + "\n")
    out = tmp_path / "study"
    assert check("readers", FILES, writes(out, "readers", "--csv", calls, "--out", out)) == set(rows_below("readers", FILES))
    rows = [f"s{row},{0.2 + 0.5 * (row % 2) + row % 7 / 100},{('Non_COVID', 'COVID')[row % 2]},{'FM'[row // 2 % 2]}"
            for row in range(40)]  # fmt: skip
    answers.write_text("\n".join(["id,probability,label,sex", *rows]) + "\n")
    out = tmp_path / "groups"
    words = ("fairness", "--predictions", answers, "--by", "sex", "--positive", "COVID", "--out", out)
    assert check("fairness", FILES, writes(out, *words)) == set(rows_below("fairness", FILES))
    other = tmp_path / "other.csv"
    other.write_text(answers.read_text())
    out = tmp_path / "comparison"
    told = check("compare", FILES, writes(out, "compare", "--predictions", answers, other, "--out", out))
    assert told >= {"comparison.json", "report.md", "roc.png", "confusion.png", "calibration.png"}


def test_data(phantoms, tmp_path, writes):
    check_table(phantoms / "manifest.csv", "`manifest.csv` of `data phantom`")
    heading = "`patients.csv` of `data prepare` and `data reorganize`"
    config = tmp_path / "run.yaml"
    config.write_text(
        "system: x\ns01:\n  data:\n    manifest: manifest.csv\n    selection:\n      - sets: {xray: xray, ct: ct}\n"
        "        set_column: modality\n        labels: {COVID: COVID, Non_COVID: Non_COVID}\n"
        "  profiles: {p: {modality: xray, size: 64}}\n"
    )
    from pipeline.cli.app import main
    from stages import STAGES

    assert main(STAGES, ["data", "prepare", "--data", str(phantoms), "-c", str(config), "--out", str(tmp_path / "four")]) == 0
    check_table(tmp_path / "four" / "patients.csv", heading)
    from pipeline.data.phantom import write_dataset

    write_dataset(tmp_path / "kermany", 12, 3, layout="pneumonia", size=64, workers=1)
    out = tmp_path / "new"
    found = writes(out, "data", "reorganize", "--data", tmp_path / "kermany", "--out", out, "--quiet")
    assert {"reorganization.json", "binary/patients.csv", "three_class/patients.csv"} <= set(found)
    check_table(out / "binary" / "patients.csv", heading)
    out = tmp_path / "inspection"
    told = rows_below("data", FILES)
    assert set(writes(out, "data", "inspect", phantoms, "--out", out)) <= set(told)


@pytest.mark.parametrize("bundle", sorted(path.name for path in PRETRAINED.iterdir()))
def test_files_of_bundles(bundle):
    files = [path.name for path in (PRETRAINED / bundle).iterdir()]
    if bundle == "gate":  # made by `bundle gate`, which the page tells apart
        files = [name for name in files if name not in ("xray.npz", "ct.npz")]
    told = check("export", FILES, files)
    assert {"bundle.json", "MODEL_CARD.md"} <= told


def test_every_table_of_the_page_is_made_by_a_test():
    here = {f"`predictions.csv` of `evaluate`, {kind}" for kind in ("X-ray and CT", "a segmenter", "a classifier")} | {
        "`<out>` of `predict`", "`predictions.csv` of `segment`", "`predictions.csv` of `classify`",
        "`segmentation.csv` of `evaluate`, a segmenter", "`manifest.csv` of `data phantom`",
        "`patients.csv` of `data prepare` and `data reorganize`",
    }  # fmt: skip
    # By `check_run`, in the tests of the stages.
    stages = {
        *(f"`{name}.csv` of `s01`" for name in ("scan_index", "scan_attributes", "failures")),
        "`pairs.csv` of `s05`", "`predictions.csv` of `s05`", "`out_of_fold.csv` of `s06`",
        "`metrics_epochwise.csv` of `s07`", "`predictions.csv` of `s07`", "`predictions.csv` of `s08`",
        *(f"`{name}.csv` of `s09`" for name in ("out_of_fold", "masked_notes", "split_predictions")),
    }  # fmt: skip
    assert tables() == here | stages
