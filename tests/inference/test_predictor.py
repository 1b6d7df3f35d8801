"""Answers of the predictor against the same arithmetic in NumPy, halves of pairs, faults, the cache."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from pipeline.data.preprocessing import Profile, preprocess
from pipeline.data.reading.gray_reader import read_gray
from pipeline.engine.errors import CorruptArtifactError, UsageError
from pipeline.inference import given_scan
from pipeline.inference.bundle import load_bundle, open_bundle
from pipeline.inference.multitask.bundle import MultitaskManifest
from pipeline.inference.multitask.predictor import Predictor
from tests.pictures import shaded


def kernels(path: Path) -> list[np.ndarray]:
    return [numpy_helper.to_array(stored).astype(np.float64) for stored in onnx.load(path).graph.initializer]


def features(bundle: Path, key: str, scan: Path, profile: Profile) -> np.ndarray:
    image = preprocess(read_gray(scan), profile) / 255.0
    return image.mean(axis=1) @ kernels(bundle / f"backbone_{key}.onnx")[0]


def sigmoid(value: np.ndarray) -> float:
    return float(1 / (1 + np.exp(-value[0])))


def expected(bundle: Path, scans: dict[str, Path]) -> dict[str, float]:
    """The whole way in float64: preprocessing, backbones, networks, paired head."""
    small = features(bundle, "small", scans["xray"], Profile(modality="xray", size=32))
    large = features(bundle, "large", scans["ct"], Profile(modality="ct", size=48))
    clahe = features(bundle, "small", scans["ct"], Profile(modality="ct", size=32, operations=("clahe",)))
    joint, answers = {}, {}
    for name, task, shared in (("xray", small, small), ("ct", large, clahe)):
        first, second, head = kernels(bundle / f"{name}.onnx")
        joint[name] = np.concatenate([task @ first, shared @ second])
        answers[name] = sigmoid(joint[name] @ head)
    (paired,) = kernels(bundle / "paired.onnx")
    return answers | {"paired": sigmoid(np.concatenate([joint["xray"], joint["ct"]]) @ paired)}


def test_the_whole_way_agrees_with_numpy(bundle, scans):
    answers = open_bundle(bundle).answer(xray=scans["xray"], ct=scans["ct"]).findings
    assert [answer.modality for answer in answers] == ["xray", "ct", "paired"]
    for answer in answers:
        assert answer.probability == pytest.approx(expected(bundle, scans)[answer.modality], abs=1e-5)
        assert answer.predicted == ("COVID" if answer.probability >= 0.5 else "Non_COVID")
        assert answer.error is None


def test_either_half_alone_gives_the_same_answer_and_opens_only_its_graphs(bundle, scans):
    both = {answer.modality: answer for answer in open_bundle(bundle).answer(xray=scans["xray"], ct=scans["ct"]).findings}
    alone = open_bundle(bundle)
    assert alone.answer(xray=scans["xray"]).findings == (both["xray"],)
    assert set(alone._sessions._opened) == {"backbone_small.onnx", "xray.onnx"}
    assert open_bundle(bundle).answer(ct=scans["ct"]).findings == (both["ct"],)


def test_pixels_in_memory_are_answered_like_the_file(bundle, scans):
    predictor = open_bundle(bundle)
    assert predictor.answer(xray=read_gray(scans["xray"])) == predictor.answer(xray=scans["xray"])


@pytest.mark.parametrize("name", ["text", "truncated", "pixel", "empty"])
def test_an_unreadable_half_is_named_and_the_other_is_answered(bundle, scans, name):
    xray, ct, paired = open_bundle(bundle).answer(xray=scans[name], ct=scans["ct"]).findings
    assert xray.probability is None and xray.predicted is None and str(scans[name]) in xray.error
    assert ct.probability is not None and ct.error is None
    assert paired.probability is None and "X-ray" in paired.error and "CT" not in paired.error


def test_nothing_given_is_refused(bundle):
    with pytest.raises(UsageError, match="Neither"):
        open_bundle(bundle).answer()


def test_a_shared_scan_is_embedded_once_and_the_cache_is_bounded(bundle, scans, tmp_path, monkeypatch):
    read: list[Path] = []
    true_read = given_scan.read_scan
    monkeypatch.setattr(given_scan, "read_scan", lambda path, **how: read.append(path) or true_read(path, **how))
    others = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(others):
        cv2.imwrite(str(path), shaded(40, 40, 40 * number + 20))
    predictor = Predictor(load_bundle(bundle, MultitaskManifest), cached_scans=3)
    for other in (*others[:2], scans["text"], scans["text"], *others[2:]):
        predictor.answer(xray=scans["xray"], ct=other)
    assert read.count(scans["xray"]) == 1 and read.count(scans["text"]) == 1
    predictor.answer(ct=others[0])
    assert read.count(others[0]) == 2


def test_a_backbone_that_both_embedders_share_runs_once_for_a_scan(bundle, scans, monkeypatch):
    predictor, ran = open_bundle(bundle), []
    run = predictor._sessions.run
    monkeypatch.setattr(predictor._sessions, "run", lambda file, *rest: ran.append(file) or run(file, *rest))
    predictor.answer(xray=scans["xray"])
    assert ran == ["backbone_small.onnx", "xray.onnx"]


def test_a_bundle_of_one_modality_says_so(tmp_path, scans):
    from tiny_bundle import write_bundle

    predictor = open_bundle(write_bundle(tmp_path / "xray_only", ("xray",)))
    xray, ct = predictor.answer(xray=scans["xray"], ct=scans["ct"]).findings
    assert xray.error is None and "no network for CT" in ct.error


def test_classes_of_graph_and_description_must_agree(tmp_path, scans):
    from tiny_bundle import write_bundle

    swapped = write_bundle(tmp_path / "swapped", graph_classes=["COVID", "Non_COVID"])
    with pytest.raises(CorruptArtifactError, match="class_names"):
        open_bundle(swapped).answer(xray=scans["xray"])


def test_a_graph_that_is_none_or_does_not_fit_is_refused(bundle, scans):
    from tiny_bundle import write_description

    (bundle / "xray.onnx").write_bytes(b"not a graph")
    write_description(bundle)
    with pytest.raises(CorruptArtifactError, match="refuses the graph"):
        open_bundle(bundle).answer(xray=scans["xray"])
    (bundle / "xray.onnx").write_bytes((bundle / "paired.onnx").read_bytes())
    write_description(bundle)
    with pytest.raises(CorruptArtifactError, match="xray.onnx: the graph takes"):
        open_bundle(bundle).answer(xray=scans["xray"])


def test_a_network_that_answers_nan_is_an_error_of_the_answer(bundle, scans, monkeypatch):
    predictor = open_bundle(bundle)
    run = predictor._sessions.run

    def broken(file, feeds, outputs):
        made = run(file, feeds, outputs)
        return [np.full_like(made[0], np.nan), *made[1:]] if file == "paired.onnx" else made

    monkeypatch.setattr(predictor._sessions, "run", broken)
    xray, ct, paired = predictor.answer(xray=scans["xray"], ct=scans["ct"]).findings
    assert xray.error is None and ct.error is None
    assert paired.probability is None and "nan" in paired.error
