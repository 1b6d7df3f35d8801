"""`segment`, and `evaluate` and `export` of a segmenter, from the command line: outputs, exit codes, what is loaded."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from pipeline.cli import app as command_line
from pipeline.engine import shipped_files

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("ALPHA", "BETA", "GAMMA")


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "inference")
    import tiny_segmenter

    return tiny_segmenter


@pytest.fixture
def bundle(tiny, tmp_path) -> Path:
    return tiny.write_segmenter(tmp_path / "unet")


@pytest.fixture
def call(capsys):
    def run(*words):
        code = command_line.main((), list(map(str, words)))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def data(tmp_path) -> Path:
    """Two bright boxes as lungs, brighter from class to class, four images a class, two of a patient."""
    root, chance = tmp_path / "data", np.random.default_rng(0)
    lines = ["image,patient_id"]
    for place, label in enumerate(NAMES):
        for number in range(4):
            mask = np.zeros((60, 80), np.uint8)
            mask[10:50, 10:35] = mask[10:50, 45:70] = 255
            image = np.where(mask > 0, 150 + 40 * place, 20).astype(np.uint8) + chance.integers(0, 10, mask.shape, np.uint8)
            for kind, picture in (("images", image), ("masks", mask)):
                path = root / label / kind / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), picture)
            lines.append(f"{label}/images/{number}.png,{label}{number // 2}")
    (root / "patients.csv").write_text("\n".join(lines) + "\n")
    return root


def rows_of(path: Path) -> list[dict]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_folder_with_a_broken_image(bundle, data, tmp_path, call):
    (data / "BETA" / "images" / "1.png").write_bytes(b"cut off")
    out = tmp_path / "out"
    code, words, err = call("segment", "--bundle", bundle, data, "--out", out, "--masks", "--quiet")
    rows = rows_of(out / "predictions.csv")
    assert code == 0 and "11 of 12 images answered" in words and "1 of 12 images have no answer" in err
    assert [row["true_class"] for row in rows] == [name for name in NAMES for _ in range(4)]
    assert [row["image"] for row in rows if row["error"]] == ["BETA/images/1.png"]
    overlays = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert len(overlays) == 22 and "ALPHA/images/0.png" in overlays and "ALPHA/images/0_mask.png" in overlays
    overlay = cv2.imread(str(out / "ALPHA/images/0.png"), cv2.IMREAD_UNCHANGED)
    mask = cv2.imread(str(out / "ALPHA/images/0_mask.png"), cv2.IMREAD_UNCHANGED)
    assert overlay.shape == (60, 80, 3) and mask.shape == (60, 80) and set(np.unique(mask)) == {0, 255}
    assert int(rows[0]["lung_px_right"]) == pytest.approx(40 * 25, rel=0.15)


@pytest.mark.parametrize("change", ["another operation", "channels too"])
def test_a_graph_without_the_head_that_heat_maps_need(tiny, bundle, data, tmp_path, call, change):
    model = onnx.load(bundle / tiny.NETWORK)
    mean = next(node for node in model.graph.node if node.op_type == "ReduceMean")
    if change == "another operation":
        mean.op_type = "ReduceMax"
    else:
        next(field for field in mean.attribute if field.name == "axes").ints[:] = [1, 2, 3]
    onnx.save(model, bundle / tiny.NETWORK)
    tiny.describe(bundle)
    code, _, err = call("segment", "--bundle", bundle, data, "--gradcam", "--out", tmp_path / "out")
    assert code == 2 and "0 nodes GlobalAveragePool, or ReduceMean" in err and not list((tmp_path / "out").rglob("*.png"))


def test_heat_maps_of_the_shipped_network(data, tmp_path, call):
    shipped = Path(__file__).resolve().parents[2] / "pretrained" / "radiography_unet"
    words = ("segment", "--bundle", shipped, data, "--num-samples", 2, "--gradcam", "--no-gate", "--out", tmp_path / "out")
    code, said, err = call(*words)
    rows = rows_of(tmp_path / "out" / "predictions.csv")
    drawn = list((tmp_path / "out").rglob("*_gradcam.png"))
    assert code == 0 and len(drawn) == 2 and cv2.imread(str(drawn[0])).shape == (60, 80, 3), err
    measured = [row for row in rows if row["gradcam_lung_energy"]]
    assert all(0 <= float(row["gradcam_lung_energy"]) <= 1 and float(row["lung_area"]) > 0 for row in measured)
    assert ("of it lies in the outlined lungs" in said) == bool(measured)


def test_every_runtime_gives_the_same_table(bundle, data, tmp_path, call):
    answers = {}
    for runtime in ("onnx", "openvino"):
        assert call("segment", "--bundle", bundle, data, "--out", tmp_path / runtime, "--runtime", runtime)[0] == 0
        answers[runtime] = rows_of(tmp_path / runtime / "predictions.csv")
    for first, second in zip(*answers.values(), strict=True):
        for name in NAMES:
            assert float(first[f"prob_{name}"]) == pytest.approx(float(second[f"prob_{name}"]), abs=1e-4)
        assert first["predicted"] == second["predicted"]


def test_samples_as_json(bundle, data, tmp_path, call):
    words = ("segment", "--bundle", bundle, data, "--num-samples", 5, "--seed", 3, "--json", "--out", tmp_path / "out")
    first, second = (json.loads(call(*words)[1]) for _ in range(2))
    assert first == second and first["images"] == first["true_class_known"] == len(first["answers"]) == 5
    answer = first["answers"][0]
    assert answer["true_class"] in NAMES and set(answer["probabilities"]) == set(NAMES)
    assert answer["lung_share_right"] > 0.1 and first["failed"] == first["refused"] == 0


def test_one_graph_with_its_metadata_and_without(tiny, data, tmp_path, call):
    network = tiny.write_graph(tmp_path / "best.onnx")
    image = data / "ALPHA/images/0.png"
    code, _, err = call("segment", "--bundle", network, image, "--out", tmp_path / "out")
    assert code == 3 and "best.onnx.meta.json is not beside it" in err
    tiny.write_meta(network)
    assert call("segment", "--bundle", network, image, "--out", tmp_path / "out")[0] == 0
    assert [row["image"] for row in rows_of(tmp_path / "out" / "predictions.csv")] == ["0.png"]


def test_an_output_that_would_fall_on_its_source_is_refused(bundle, data, tmp_path, call):
    image = data / "ALPHA/images/0.png"
    before = image.read_bytes()
    code, _, err = call("segment", "--bundle", bundle, image, "--out", image.parent)
    assert code == 2 and "would overwrite its own source" in err
    assert call("segment", "--bundle", bundle, data, "--out", data)[0] == 2
    assert image.read_bytes() == before and not (image.parent / "predictions.csv").exists()


def test_two_outputs_of_one_name_are_refused(bundle, data, tmp_path, call):
    folder = data / "ALPHA" / "images"
    (folder / "0_mask.png").write_bytes((folder / "1.png").read_bytes())
    code, _, err = call("segment", "--bundle", bundle, folder, "--out", tmp_path / "out", "--masks")
    assert code == 2 and "Two outputs have one name" in err
    assert call("segment", "--bundle", bundle, folder, "--out", tmp_path / "out")[0] == 0


def test_nothing_answered_exits_with_4(bundle, tmp_path, call):
    code, _, err = call("segment", "--bundle", bundle, tmp_path / "gone.png", "--out", tmp_path / "out")
    assert code == 4 and "gone.png: no such file" in err
    assert rows_of(tmp_path / "out" / "predictions.csv")[0]["error"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--strict", "--no-gate"], 2, "contradict each other"),
        (["--runtime", "keras"], 3, "holds no Keras weights"),
    ],
)
def test_options_that_cannot_be_met(bundle, data, tmp_path, call, words, code, said):
    found, _, err = call("segment", "--bundle", bundle, data, "--out", tmp_path / "out", *words)
    assert found == code and said in err


@pytest.fixture
def gated(tiny, tmp_path) -> Path:
    """A bundle with a gate, and images that it knows, knows not, and that fail a simple check only."""
    import tiny_gate

    folder = tiny.write_segmenter(tmp_path / "gated")
    tiny.describe(folder, gate=tiny_gate.write_gate_files(folder))
    tiny.describe(folder, gate=tiny_gate.ENTRY)
    (tmp_path / "scans").mkdir()
    pictures = {"known": tiny_gate.near(), "unknown": tiny_gate.far(), "small": tiny_gate.near(side=200)}
    for name, picture in pictures.items():
        cv2.imwrite(str(tmp_path / "scans" / f"{name}.png"), picture)
    return folder


@pytest.mark.parametrize(
    ("words", "refused"), [([], {"unknown"}), (["--no-gate"], set()), (["--strict"], {"unknown", "small"})]
)
def test_the_gate_decides_what_is_segmented(gated, shipped_gate, tmp_path, call, words, refused):
    out = tmp_path / "out"
    code, shown, err = call("segment", "--bundle", gated, tmp_path / "scans", "--out", out, "--json", *words)
    document = json.loads(shown)
    assert code == 0 and document["refused"] == document["failed"] == len(refused)
    rows = {row["image"].removesuffix(".png"): row for row in rows_of(out / "predictions.csv")}
    assert {name for name, row in rows.items() if row["error"]} == refused
    assert {path.stem for path in out.glob("*.png")} == set(rows) - refused
    if refused:
        assert f"{len(refused)} of 3 images have no answer ({len(refused)} refused by the gate)" in err
        assert "looks like a CT slice of the chest" in rows["unknown"]["error"]
    assert ("the gate was not asked" in err) == ("--no-gate" in words)
    assert {row["gate"] for row in rows.values()} == ({"not asked"} if "--no-gate" in words else {"xray", "ct"})
    # How near each lies to what the bundle learnt from is told whoever decides.
    assert all(float(row["distance"]) > 0 and row["distance_threshold"] == "2" for row in rows.values())
    assert ["beyond 2.00" in rows[name]["warnings"] for name in ("known", "unknown")] == [False, "--no-gate" in words]
    if "small" in refused:
        assert "200" in rows["small"]["error"] and "256" in rows["small"]["error"]


def test_predict_and_segment_name_each_other(bundle, data, tmp_path, call, tiny):
    image = data / "ALPHA/images/0.png"
    code, _, err = call("predict", "--bundle", bundle, "--xray", image)
    assert code == 2 and "Use segment" in err
    from tiny_bundle import write_bundle

    other = write_bundle(tmp_path / "mtl")
    code, _, err = call("segment", "--bundle", other, image, "--out", tmp_path / "out")
    assert code == 2 and "Use predict" in err


def test_the_default_bundle(bundle, data, tmp_path, call, monkeypatch):
    monkeypatch.setattr(shipped_files, "ROOT", tmp_path)
    words = ("segment", data, "--num-samples", 1, "--out", tmp_path / "out")
    code, _, err = call(*words)
    assert code == 3 and "pretrained/radiography_unet does not come with this copy" in err
    bundle.rename((tmp_path / "pretrained").mkdir() or tmp_path / "pretrained" / "radiography_unet")
    assert call(*words)[0] == 0


def test_segment_never_loads_tensorflow(bundle, data, tmp_path):
    code = (
        "import sys; from pipeline.cli import app; "
        f"assert app.main((), ['segment', '--bundle', {str(bundle)!r}, {str(data)!r}, '--out', {str(tmp_path / 'o')!r}, "
        "'--no-gate']) == 0; "
        "print('loaded:', [n for n in ('tensorflow', 'keras', 'tf2onnx', 'pandas', 'scipy', 'sklearn') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "loaded: []" in done.stdout


def test_evaluate_a_labelled_folder(bundle, data, tmp_path, call):
    (data / "ALPHA" / "masks" / "0.png").unlink()
    gray = cv2.imread(str(data / "BETA/masks/0.png"), 0)
    cv2.imwrite(str(data / "BETA/masks/0.png"), cv2.resize(gray, (160, 120), interpolation=cv2.INTER_NEAREST) // 255 * 200)
    out = tmp_path / "out"
    code, words, err = call("evaluate", "--bundle", bundle, "--data", data, "--out", out, "--quiet")
    assert code == 0, err
    document = json.loads((out / "metrics.json").read_text())
    lungs = document["segmentation"]
    assert lungs["scans"] == 11 and document["images"] == 12 and document["patients"] == 6
    assert lungs["dice"]["value"] > 0.9 and lungs["dice"]["low"] <= lungs["dice"]["value"] <= lungs["dice"]["high"]
    rows = rows_of(out / "segmentation.csv")
    assert lungs["dice"]["value"] == pytest.approx(np.mean([float(row["dice"]) for row in rows]), abs=1e-6)
    assert set(lungs["per_class"]) == set(NAMES) and lungs["worst_class_dice"]["class"] in NAMES
    assert {"hd95", "mean_surface_distance", "iou"} <= set(lungs) and 0 < lungs["pooled_dice"] <= 1
    answers = rows_of(out / "predictions.csv")
    right = np.mean([row["predicted"] == row["true_class"] for row in answers])
    assert document["classification"]["accuracy"]["value"] == pytest.approx(right)
    assert np.array(document["confusion"]).sum() == 12 and document["support"] == dict.fromkeys(NAMES, 4)
    warned = " ".join(document["warnings"])
    assert "1 of 12 images have no mask" in warned and "1 masks had another size" in warned
    for name in ("confusion.png", "roc.png", "dice.png"):
        assert cv2.imread(str(out / name)) is not None
    assert "Dice" in words and "sensitivity" in words
    code, told, err = call("compare", "--predictions", out, "--json")
    compared = json.loads(told)["modalities"]
    assert code == 0 and compared["lungs"]["out"]["dice"]["value"] == pytest.approx(lungs["dice"]["value"]), err
    assert compared["images"]["out"]["accuracy"]["value"] == pytest.approx(right)


# The tiny network sees 32x32 pixels, so that its lungs are off the boxes by a pixel or two.
DICE = 0.9765237259665636
WRITTEN = {
    "0 and 255": (lambda mask: mask, ""),
    "0 and 1": (lambda mask: mask // 255, "1 is taken as lung"),
    "pure red": (lambda mask: cv2.merge([mask * 0, mask * 0, mask]), "#ff0000 is taken as lung"),
    "inverted": (lambda mask: 255 - mask, "0 is taken as lung"),
}


def rewrite_masks(data: Path, write) -> None:
    for path in data.rglob("masks/*.png"):
        cv2.imwrite(str(path), write(cv2.imread(str(path), 0)))


@pytest.mark.parametrize("way", WRITTEN)
def test_dice_does_not_depend_on_how_masks_are_written(bundle, data, tmp_path, call, way):
    write, said = WRITTEN[way]
    rewrite_masks(data, write)
    code, words, err = call("evaluate", "--bundle", bundle, "--data", data, "--out", tmp_path / "out", "--json")
    document = json.loads(words)
    assert code == 0 and document["segmentation"]["dice"]["value"] == pytest.approx(DICE), err
    assert [said in warning for warning in document["warnings"] if "as lung" in warning] == ([True] if said else [])


def test_masks_of_several_labels_are_refused_until_the_option_settles_it(bundle, data, tmp_path, call):
    def halves(mask: np.ndarray) -> np.ndarray:
        mask //= 255
        mask[:, mask.shape[1] // 2 :] *= 2
        return mask

    rewrite_masks(data, halves)
    words = ("evaluate", "--bundle", bundle, "--data", data, "--out", tmp_path / "out", "--json")
    code, _, err = call(*words)
    assert code == 4 and "3 labels, 0, 1, 2" in err and "--mask-labels" in err
    code, told, err = call(*words, "--mask-labels", "1,2")
    assert code == 0 and json.loads(told)["segmentation"]["dice"]["value"] == pytest.approx(DICE), err
    code, told, _ = call(*words, "--mask-labels", "1")
    assert code == 0 and json.loads(told)["segmentation"]["dice"]["value"] == pytest.approx(DICE * 2 / 3, abs=0.01)
    for label, named, exit_code in (("7", "no mask holds the label 7", 4), ("lungs", "no label of a mask", 2)):
        code, _, err = call(*words, "--mask-labels", label)
        assert code == exit_code and named in err


def test_masks_of_odd_shares_are_named(bundle, data, tmp_path, call):
    for name, value in (("0", 0), ("1", 255)):
        cv2.imwrite(str(data / "BETA" / "masks" / f"{name}.png"), np.full((60, 80), value, np.uint8))
    code, words, _ = call("evaluate", "--bundle", bundle, "--data", data, "--out", tmp_path / "out", "--json")
    warned = json.loads(words)["warnings"]
    assert code == 0 and "mask of BETA/images/0.png: the mask is empty" in warned
    assert "mask of BETA/images/1.png: 100.0% of the picture are lung, 2% to 70% are plausible" in warned


def test_evaluate_a_table_as_json(bundle, data, tmp_path, call):
    table = tmp_path / "rows.csv"
    cells = [[data / name / kind / f"{n}.png" for kind in ("images", "masks")] + [name] for name in NAMES for n in (0, 1)]
    lines = [f"{image},{name},{mask}" for image, mask, name in cells]
    table.write_text("image,label,mask\n" + "\n".join(lines) + "\n")
    code, words, _ = call("evaluate", "--bundle", bundle, "--data", table, "--out", tmp_path / "out", "--json")
    document = json.loads(words)
    assert code == 0 and document["segmentation"]["scans"] == 6 and document["patients"] is None
    assert any("no patient id" in warning for warning in document["warnings"])


def test_evaluate_refuses_what_cannot_be_judged(bundle, data, tmp_path, call):
    words = ("evaluate", "--bundle", bundle, "--data", data, "--out")
    assert call(*words, data / "out")[0] == 2
    assert call(*words, tmp_path / "out", "--modality", "xray")[0] == 2
    (data / "BETA" / "images" / "0.png").write_text("no picture")
    code, _, err = call(*words, tmp_path / "out")
    assert code == 4 and "1 of 12 images have no answer (limit 5%" in err
    assert call(*words, tmp_path / "out", "--max-unreadable", "0.2")[0] == 0
    (data / "GAMMA").rename(data / "GAMA")
    code, _, err = call(*words, tmp_path / "out")
    assert code == 4 and "Did you mean 'GAMMA'" in err


def test_a_mask_that_cannot_be_read_is_named_and_its_image_still_classified(bundle, data, tmp_path, call):
    (data / "BETA" / "masks" / "2.png").write_text("no picture")
    assert call("evaluate", "--bundle", bundle, "--data", data, "--out", tmp_path / "out")[0] == 0
    document = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert document["segmentation"]["scans"] == 11 and document["unreadable"] == {}
    assert any("mask of BETA/images/2.png left out" in warning for warning in document["warnings"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--checkpoint", "x.pth"], "--checkpoint and --classes belong together"),
        (["--run", "r", "--classes", "A,B"], "--checkpoint and --classes belong together"),
        (["--run", "r", "--checkpoint", "x.pth", "--classes", "A,B"], "Export what?"),
        (["--run", "r", "--prefix", "net."], "--prefix goes with --checkpoint"),
        (["--original", "o", "--opset", "15"], "--opset goes with --run or --checkpoint"),
    ],
)
def test_exports_that_make_no_sense(call, tmp_path, words, said):
    code, _, err = call("export", *words, "--out", tmp_path / "b")
    assert code == 2 and said in err and not (tmp_path / "b").exists()


def test_a_checkpoint_of_another_network_names_every_tensor(call, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "models")
    from torch_containers import Tensor, write_zip

    tensors = {"conv1.weight": Tensor(np.zeros((8, 3, 3, 3), np.float32)), "fc.bias": Tensor(np.zeros(2, np.float32))}
    path = write_zip(tmp_path / "resnet.pth", tensors)
    code, _, err = call("export", "--checkpoint", path, "--classes", "A,B,C,D", "--out", tmp_path / "b")
    assert code == 5 and "first tensor is conv1.weight" in err and "classifier.9.weight is missing" in err
    code, _, err = call("export", "--checkpoint", path, "--classes", "A,B,C,D", "--prefix", "net.", "--out", tmp_path / "b")
    assert code == 5 and "no tensor's name begins with 'net.'" in err
    assert not (tmp_path / "b").exists()


def test_a_gate_whose_files_nobody_vouches_for_is_refused(gated, tmp_path, call):
    document = json.loads((gated / "bundle.json").read_text())
    document["gate"]["statistics"] = "../unknown.npz"
    (gated / "bundle.json").write_text(json.dumps(document))
    code, _, err = call("segment", "--bundle", gated, tmp_path / "scans", "--out", tmp_path / "out")
    assert code == 5 and "gate: files gives no hash for '../unknown.npz'" in err
    assert call("segment", "--bundle", gated, tmp_path / "scans", "--out", tmp_path / "out", "--no-gate")[0] == 0


def test_a_strict_gate_sees_the_colours(gated, shipped_gate, tmp_path, call):
    gray = shipped_gate.near(1)
    bluish = np.clip(np.dstack([gray + 40.0, gray, gray - 15.0]), 0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "scans" / "bluish.png"), bluish)
    words = ("segment", "--bundle", gated, tmp_path / "scans" / "bluish.png", "--out", tmp_path / "out", "--json")
    assert call(*words)[0] == 0
    code, shown, err = call(*words, "--strict")
    assert code == 4 and "appears to be colorful" in err
