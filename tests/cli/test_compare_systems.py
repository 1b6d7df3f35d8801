"""`compare` on classifiers of three classes, on the arms of a vision-and-text run, on segmenters, on what `evaluate` wrote."""

from __future__ import annotations

import io
import json
from itertools import product

import numpy as np
import pytest
from made_runs import DATASET, NAMES, class_columns, classifier_run, csv_of, make_run
from scipy.stats import wilcoxon


@pytest.fixture
def classifiers(tmp_path):
    """`weak` is wrong on both scans of the first six patients, `strong` on one scan of the first."""
    truth = np.repeat(np.arange(12) % 3, 2)
    weak, strong = truth.copy(), truth.copy()
    weak[:12] = (weak[:12] + 1) % 3
    strong[0] = (strong[0] + 1) % 3
    folds = [n // 8 for n in range(24)]
    return classifier_run(tmp_path / "weak", weak, folds), classifier_run(tmp_path / "strong", strong, folds)


def test_three_class_runs(command, classifiers, tmp_path):
    code, out, err = command("compare", "--run", *classifiers, "--out", tmp_path / "out")
    assert code == 0, err
    assert "weak, strong" in out and "Images: 24 rows of 12 patients, 8 NORMAL, 8 BACTERIAL, 8 VIRAL" in out
    document = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert document["arms"] == ["weak", "strong"] and set(document["modalities"]) == {"images", "out_of_fold"}
    metrics = document["modalities"]["images"]
    assert metrics["weak"]["accuracy"]["value"] == pytest.approx(12 / 24)
    assert metrics["strong"]["accuracy"]["value"] == pytest.approx(23 / 24)
    # each class half right and taken once for another as often: precision = recall = F1 = 1/2
    assert metrics["weak"]["macro_f1"]["value"] == pytest.approx(0.5)
    tests = {(t["modality"], t["test"], t["metric"]): t for t in document["tests"]}
    assert {key[1:] for key in tests} == {
        ("mcnemar_midp", "accuracy"),
        *product(("clustered_permutation", "corrected_resampled_t"), ("accuracy", "macro_f1", "macro_auc")),
    }
    # 11 scans that only `strong` has right, none the other way: 2 * 2^-11 - 2^-11
    assert tests["images", "mcnemar_midp", "accuracy"]["p"] == pytest.approx(2**-11)
    permuted = tests["images", "clustered_permutation", "accuracy"]
    assert permuted["statistic"] == pytest.approx(11 / 24)
    # patients differ by 1, 2, 2, 2, 2, 2 scans: of their 64 signs only the two like ones reach 11
    sums = [abs(np.dot(signs, (1, 2, 2, 2, 2, 2))) for signs in product((-1, 1), repeat=6)]
    assert permuted["p"] == pytest.approx(np.mean(np.array(sums) >= 11), abs=0.01) and permuted["n"] == 12
    # four patients a fold: `weak` is wrong on all, on two and on none of them
    folds = tests["out_of_fold", "corrected_resampled_t", "accuracy"]
    assert folds["n"] == 3 and folds["difference"]["value"] == pytest.approx((7 / 8 + 4 / 8 + 0) / 3)
    holm = sorted(t["p"] for t in document["tests"] if t["family"] == "given_split")
    assert min(t["p_adjusted"] for t in document["tests"] if t["family"] == "given_split") == pytest.approx(len(holm) * holm[0])
    figures = {f"{name}.png" for name in ("roc", "confusion", "metrics", "calibration", "training_noise")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"comparison.json", "report.md", *figures}
    assert "difference shown" in (tmp_path / "out" / "report.md").read_text()


def test_one_modality_and_other_folds(command, classifiers, tmp_path):
    code, out, _ = command("compare", "--run", *classifiers, "--modality", "images", "--json")
    assert code == 0 and set(json.loads(out)["modalities"]) == {"images"}
    code, _, err = command("compare", "--run", *classifiers, "--modality", "image")
    assert code == 2 and "Did you mean 'images'" in err
    truth = np.repeat(np.arange(12) % 3, 2)
    other = classifier_run(tmp_path / "other", truth, [n // 6 for n in range(24)])
    code, out, _ = command("compare", "--run", classifiers[0], other, "--json")
    document = json.loads(out)
    assert code == 0 and not any(test["family"] == "resplits" for test in document["tests"])
    assert any("different folds" in warning for warning in document["warnings"])


ARMS = ("image_only", "text_only", "concatenation", "cross_attention", "gated", "late_average", "pointwise")


@pytest.fixture
def fusion_run(tmp_path):
    """12 scans of 12 patients; two repeats. Each arm mistakes another number of the six pairs of neighbours."""
    labels = np.arange(12) % 2
    answers = np.zeros((len(ARMS), 2, 12), np.float32)
    for place in range(len(ARMS)):
        good = np.where(labels == 1, 0.8, 0.2) + np.linspace(-0.1, 0.1, 12)
        good[: 2 * place] = 1 - good[: 2 * place]
        answers[place] = [good, good]
    rows = {"id": [f"s{n}" for n in range(12)] * len(ARMS), "patient_id": [f"p{n}" for n in range(12)] * len(ARMS),
            "label": labels.tolist() * len(ARMS), "fold": [n // 2 % 3 for n in range(12)] * len(ARMS),
            "arm": np.repeat(ARMS, 12).tolist(), "probability": answers.mean(axis=1).ravel().tolist()}  # fmt: skip
    array = io.BytesIO()
    np.save(array, answers)
    chosen_by = {"mean_validation_auc": {arm: 0.9 if arm == "gated" else 0.8 for arm in ARMS}}
    recipe = json.dumps({"arms": ARMS, "chosen": "gated", "chosen_by": chosen_by, "class_names": ["Other", "COVID"]}).encode()
    stored = json.dumps({"schema_version": 1, "arms": list(ARMS), "stored": True}).encode()
    return make_run(tmp_path / "fusions", {"s09_vision_text": {
        "fusion_recipe": ("fusion_recipe.json", recipe), "fusion_out_of_fold": ("out_of_fold.csv", csv_of(rows)),
        "fusion_fold_probabilities": ("fold_probabilities.npy", array.getvalue()),
        "fusion_comparison": ("comparison.json", stored), "fusion_report": ("report.md", b"# said"),
    }})  # fmt: skip


def rank_auc(labels, scores):
    gaps = scores[labels == 1][:, None] - scores[labels == 0]
    return float(np.mean((gaps > 0) + 0.5 * (gaps == 0)))


def test_the_fusions_of_a_run(command, fusion_run, tmp_path):
    code, out, err = command("compare", "--run", fusion_run, "--modality", "vision_text", "--out", tmp_path / "out")
    assert code == 0, err
    document = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert document["arms"] == list(ARMS) and document["chosen"] == "gated" and "chose gated" in out
    made = document["modalities"]["vision_text"]
    labels = np.arange(12) % 2
    for place, arm in enumerate(ARMS):
        scores = np.where(labels == 1, 0.8, 0.2) + np.linspace(-0.1, 0.1, 12)
        scores[: 2 * place] = 1 - scores[: 2 * place]
        assert made[arm]["auc"]["value"] == pytest.approx(rank_auc(labels, scores.astype(np.float32)))
        assert made[arm]["accuracy"]["value"] == pytest.approx(1 - 2 * place / 12)
        assert document["training_noise"]["vision_text"][arm]["auc"]["seeds"] == 2
    pairs = {(test["a"], test["b"]) for test in document["tests"]}
    assert len(pairs) == 21 and len(document["verdicts"]) == 21
    # seven arms make 21 pairs of three tests: Holm's first step
    family = [test for test in document["tests"] if test["family"] == "given_split"]
    smallest = min(family, key=lambda test: test["p"])
    assert len(family) == 63 and smallest["p_adjusted"] == pytest.approx(min(1, 63 * smallest["p"]))
    mcnemar = next(t for t in family if t["test"] == "mcnemar_midp" and (t["a"], t["b"]) == ("image_only", "gated"))
    assert mcnemar["discordant"] == {"a_only_right": 8, "b_only_right": 0} and mcnemar["p"] == pytest.approx(2**-8)
    assert {"roc.png", "calibration.png", "training_noise.png"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_what_a_run_compared_itself_is_shown_as_it_is(command, fusion_run, tmp_path):
    code, out, _ = command("compare", "--run", fusion_run, "--json", "--out", tmp_path / "out")
    assert code == 0 and json.loads(out)["stored"] is True
    assert (tmp_path / "out" / "report.md").read_bytes() == b"# said"


def test_the_fusions_as_a_bare_table(command, fusion_run):
    table = fusion_run / "s09_vision_text" / "out_of_fold.csv"
    code, out, _ = command("compare", "--predictions", table, "--json")
    document = json.loads(out)
    assert code == 0 and document["arms"] == list(ARMS)
    assert document["modalities"]["images"]["gated"]["accuracy"]["value"] == pytest.approx(1 - 8 / 12)


DICE = {"old": [0.80, 0.90, 0.70, 0.60, 0.88, 0.75, 0.91, 0.66], "new": [0.85, 0.94, 0.76, 0.70, 0.86, 0.83, 0.94, 0.75]}


def segmenter_run(folder, dice):
    """Eight patients: the first with two scans alike in everything, the others with one."""
    dice = [dice[0], *dice]
    truth = [0, 0, 1, 2, 0, 1, 2, 0, 1]
    columns = {"id": [f"s{n}" for n in range(9)], "patient_id": ["p0", *(f"p{n}" for n in range(8))], "split": ["test"] * 9,
               **{k.replace("prob_", "probability_"): v for k, v in class_columns(truth, truth).items()},
               "has_mask": [1] * 9, "dice": dice, "iou": [d / (2 - d) for d in dice], "hd95": [20 * (1 - d) for d in dice],
               "mean_surface_distance": [3.0] * 9}  # fmt: skip
    told = json.dumps({"class_names": NAMES, "positive_class": "VIRAL"}).encode()
    return make_run(folder, {"s07_segmenter": {
        "unet_weights": ("w.h5", b"w"), "segmenter_metrics": ("metrics.json", told),
        "segmenter_predictions": ("predictions.csv", csv_of(columns)),
    }})  # fmt: skip


def test_two_segmenters(command, tmp_path):
    runs = [segmenter_run(tmp_path / name, dice) for name, dice in DICE.items()]
    code, out, err = command("compare", "--run", *runs, "--out", tmp_path / "out")
    assert code == 0, err
    assert "Lung masks: 9 rows of 8 patients; mean over scans" in out and "±" not in out.split("Lung masks")[1].split("Tests")[0]
    document = json.loads((tmp_path / "out" / "comparison.json").read_text())
    means = document["modalities"]["lungs"]
    assert means["old"]["dice"]["value"] == pytest.approx(np.mean([DICE["old"][0], *DICE["old"]]))
    tests = {(t["test"], t["metric"]): t for t in document["tests"] if t["modality"] == "lungs"}
    gains = np.subtract(DICE["new"], DICE["old"])
    flips = tests["sign_flip_permutation", "dice"]
    assert flips["n"] == 8 and flips["statistic"] == pytest.approx(gains.mean()) == pytest.approx(flips["difference"]["value"])
    every = np.array([abs(np.dot(signs, gains)) for signs in product((-1, 1), repeat=8)])
    assert flips["p"] == pytest.approx(np.mean(every >= gains.sum() - 1e-12), abs=0.006)
    assert 0 < flips["difference"]["low"] < gains.mean() < flips["difference"]["high"]
    ranks = tests["wilcoxon_signed_rank", "dice"]
    # only the fifth patient lost, and the least of all: rank 1 of 36
    assert ranks["statistic"] == 1 and ranks["p"] == pytest.approx(wilcoxon(np.round(gains, 12)).pvalue)
    assert ranks["effect"] == {"name": "rank_biserial", "value": pytest.approx((35 - 1) / 36), "low": None, "high": None}
    nothing = tests["wilcoxon_signed_rank", "mean_surface_distance"]
    assert nothing["p"] is None and nothing["verdict"].startswith("not tested")
    assert tests["sign_flip_permutation", "mean_surface_distance"]["p"] == 1
    assert tests["sign_flip_permutation", "hd95"]["difference"]["value"] == pytest.approx(-20 * gains.mean())
    family = [t for t in tests.values() if t["p"] is not None]
    assert min(t["p_adjusted"] for t in family) == pytest.approx(len(family) * min(t["p"] for t in family))
    assert "measures" in document["families"] and "measures.png" in {path.name for path in (tmp_path / "out").iterdir()}
    assert {"mcnemar_midp"} < {t["test"] for t in document["tests"] if t["modality"] == "images"}


def evaluation(folder, chosen, system="classifier"):
    """What `evaluate --out` leaves of a classifier."""
    truth = np.repeat(np.arange(12) % 3, 2)
    folder.mkdir()
    columns = {"image": [f"a/{n}.png" for n in range(24)], "patient_id": [f"p{n // 2}" for n in range(24)]}
    (folder / "predictions.csv").write_bytes(csv_of(columns | class_columns(truth, chosen)))
    said = {"system": system, "positive_class": None, "threshold": 0.5}
    (folder / "metrics.json").write_text(json.dumps(said))
    return folder


def test_what_evaluate_wrote(command, tmp_path):
    truth = np.repeat(np.arange(12) % 3, 2)
    folders = [evaluation(tmp_path / name, (truth + shift) % 3) for name, shift in (("right", 0), ("wrong", 1))]
    code, out, err = command("compare", "--predictions", *folders, "--json")
    document = json.loads(out)
    assert code == 0 and document["arms"] == ["right", "wrong"], err
    made = document["modalities"]["images"]
    assert made["right"]["accuracy"]["value"] == 1 and made["wrong"]["sensitivity:VIRAL"]["value"] == 0
    other = evaluation(tmp_path / "masks", truth, "radiography_unet")
    code, _, err = command("compare", "--predictions", folders[0], other)
    assert code == 2 and "right is of classifier, masks is of radiography_unet" in err


def test_other_systems_and_other_classes_are_refused(command, classifiers, fusion_run, tmp_path):
    code, _, err = command("compare", "--run", classifiers[0], fusion_run)
    assert code == 2 and "different systems: weak is of classifier, fusions is of vision_text" in err
    truth = np.arange(6) % 2
    two = {"id": [f"scan{n}" for n in range(6)], "label": [("NORMAL", "SICK")[k] for k in truth], "prob_NORMAL": [0.6] * 6,
           "prob_SICK": [0.4] * 6}  # fmt: skip
    (tmp_path / "two.csv").write_bytes(csv_of(two))
    three = {"id": two["id"], **class_columns(truth, truth)}
    (tmp_path / "three.csv").write_bytes(csv_of(three))
    code, _, err = command("compare", "--predictions", tmp_path / "two.csv", tmp_path / "three.csv")
    assert code == 4 and "'two' tells NORMAL, SICK apart, 'three' NORMAL, BACTERIAL, VIRAL" in err
    code, _, err = command("compare", "--predictions", tmp_path / "three.csv", "--positive", "VIRUL")
    assert code == 4 and "Did you mean 'VIRAL'" in err
    code, _, err = command("compare", "--predictions", tmp_path / "three.csv", "--system", "classifier")
    assert code == 2 and "--system belongs to --run" in err


def test_a_run_of_two_systems_says_which(command, tmp_path):
    run = segmenter_run(tmp_path / "both", DICE["old"])
    truth = np.repeat(np.arange(12) % 3, 2)
    other = classifier_run(tmp_path / "other", truth)
    (other / "s08_classifier").rename(run / "s08_classifier")
    code, _, err = command("compare", "--run", run)
    assert code == 2 and "--system radiography_unet" in err
    code, out, _ = command("compare", "--run", run, "--system", "classifier", "--json")
    assert code == 0 and json.loads(out)["modalities"]["images"]["both"]["accuracy"]["value"] == 1
    assert DATASET["positive_class"] == "VIRAL"
