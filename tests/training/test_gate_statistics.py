"""The gate's fit on generated features and pictures, its files, and the same answers from onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.gate.distance_fit import fit_gate
from pipeline.data.preprocessing import Profile, preprocess
from pipeline.engine.errors import CorruptArtifactError, DataError
from pipeline.training.segmenter.gate_statistics import gate_features

SIDE = 64


def gaussian(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Correlated features (count, 30) on very different scales."""
    mixing = np.random.default_rng(7).normal(size=(30, 30))
    drawn = np.random.default_rng(seed).normal(size=(count, 30)) @ mixing
    return ((drawn + shift) * np.logspace(-1, 1, 30)).astype(np.float32)


def test_a_tiny_shrinkage_gives_the_plain_mahalanobis_distance():
    train = gaussian(500, 0)
    fitted = fit_gate(train, gaussian(100, 1), shrinkage=1e-9)
    offset = gaussian(5, 2).astype(np.float64) - train.mean(0)
    inverse = np.linalg.inv(np.cov(train.astype(np.float64), rowvar=False, bias=True))
    expected = np.sqrt(np.einsum("nf,fg,ng->n", offset, inverse, offset) / 30)
    np.testing.assert_allclose(fitted.distance(gaussian(5, 2)), expected, rtol=1e-3)


def test_full_shrinkage_gives_the_distance_of_independent_features():
    train = gaussian(500, 0).astype(np.float64)
    fitted = fit_gate(train, gaussian(100, 1), shrinkage=1.0)
    standard = (gaussian(5, 2) - train.mean(0)) / train.std(0)
    np.testing.assert_allclose(fitted.distance(gaussian(5, 2)), np.sqrt((standard**2).mean(1)), rtol=1e-4)


def test_unseen_scans_are_accepted_and_shifted_ones_refused():
    fitted = fit_gate(gaussian(300, 0), gaussian(60, 1))
    assert fitted.accepted_on_validation == 1.0
    assert (fitted.distance(gaussian(200, 2)) <= fitted.threshold).mean() >= 0.99
    assert (fitted.distance(gaussian(200, 3, shift=8.0)) > fitted.threshold).all()


def test_the_threshold_comes_from_the_validation_scans_alone():
    train, valid = gaussian(300, 0), gaussian(60, 1)
    fitted = fit_gate(train, valid, deviations=1.0)
    logs = np.log(fitted.distance(valid))
    assert fitted.threshold == pytest.approx(np.exp(logs.mean() + logs.std(ddof=1)))
    assert fitted.accepted_on_validation == (fitted.distance(valid) <= fitted.threshold).mean() < 1
    assert "300 training scans" in fitted.method and "60 validation scans" in fitted.method


def test_fewer_scans_than_features_and_dead_features_still_fit():
    train, valid = gaussian(12, 0), gaussian(10, 1)
    train[:, 3] = valid[:, 3] = 0
    fitted = fit_gate(train, valid)
    assert np.isfinite(fitted.distance(valid)).all()
    moved = valid.copy()
    moved[:, 3] = 50
    assert (fitted.distance(moved) > 10 * fitted.distance(valid)).all()


@pytest.mark.parametrize(
    ("train", "valid", "said"),
    [
        (gaussian(3, 0), gaussian(20, 1), "3 training scans"),
        (gaussian(20, 0), gaussian(2, 1), "2 validation scans"),
        (gaussian(20, 0), np.repeat(gaussian(1, 1), 20, axis=0), "all alike"),
        (gaussian(20, 0), gaussian(20, 1)[:, :9], "columns"),
        (np.full((20, 30), np.nan), gaussian(20, 1), "not finite"),
    ],
)
def test_features_that_cannot_be_fitted(train, valid, said):
    with pytest.raises(DataError, match=said):
        fit_gate(train, valid)


@pytest.fixture(scope="module")
def network():
    """Eight random filters and their mean answers, kernels as they are stored."""
    import keras

    from pipeline.models.stored_precision import round_kernels

    image = keras.Input((SIDE, SIDE, 1), name="image")
    maps = keras.layers.Conv2D(8, 5, 2, activation="relu", kernel_initializer=keras.initializers.HeNormal(0), name="conv")(image)
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D(name="features")(maps), name="tiny_gate")
    return round_kernels(network, "float16")


def pictures(count: int, seed: int) -> np.ndarray:
    """uint8 (count, 64, 64): bright discs on a dark ground, of varying place and size."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices((SIDE, SIDE))
    made = [
        40 + 150 * ((rows - random.uniform(24, 40)) ** 2 + (columns - random.uniform(24, 40)) ** 2 < random.uniform(100, 400))
        + random.normal(0, 4, (SIDE, SIDE))
        for _ in range(count)
    ]
    return np.clip(made, 0, 255).astype(np.uint8)


def test_features_of_a_file_and_of_an_array_agree(network, tmp_path: Path):
    pixels = pictures(40, 0)
    np.save(tmp_path / "pixels.npy", pixels)
    features = gate_features(network, pixels)
    assert features.shape == (40, 8) and features.dtype == np.float32
    np.testing.assert_allclose(gate_features(network, tmp_path / "pixels.npy"), features, atol=1e-5)
    assert gate_features(network, pixels[:0]).shape == (0, 8)


def test_the_written_gate_judges_as_the_fitted_one(network, tmp_path: Path):
    from pipeline.export.gate.gate_files import write_gate
    from pipeline.inference.gate.measures import FeatureNetwork, Measure

    profile = Profile(modality="xray", size=SIDE)
    fitted = fit_gate(gate_features(network, pictures(40, 0)), gate_features(network, pictures(16, 1)))
    # Statistics may come back from an .npz file, as a dictionary.
    entry = write_gate(tmp_path, network, fitted.arrays(), profile)
    assert set(entry) == {"network", "statistics", "profile", "threshold", "accepted_on_validation", "method"}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([entry["network"], entry["statistics"]])
    assert (entry["threshold"], entry["profile"]["size"]) == (fitted.threshold, SIDE)

    measure = Measure(FeatureNetwork(tmp_path / entry["network"]), profile, fitted, fitted.threshold)
    unseen, stripes = pictures(6, 2), (np.indices((SIDE, SIDE))[0] % 8 // 4 * 255).astype(np.uint8)
    for picture in unseen:
        expected = fitted.distance(gate_features(network, preprocess(picture, profile)[None]))[0]
        assert measure.distance(picture) == pytest.approx(expected, rel=1e-3)
        assert measure.distance(picture) <= measure.threshold
    assert measure.distance(stripes) > measure.threshold


def test_a_gate_that_does_not_fit_its_network_is_not_written(network, tmp_path: Path):
    from pipeline.export.gate.gate_files import write_gate

    with pytest.raises(CorruptArtifactError, match="makes 8 features"):
        write_gate(tmp_path, network, fit_gate(gaussian(20, 0), gaussian(20, 1)), Profile(modality="xray", size=SIDE))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_real_backbone_is_the_taps_of_the_library_s_own():
    from pipeline.models.backbones.construction import build_backbone
    from pipeline.models.backbones.gate_backbone import TAPS, build_gate_backbone
    from pipeline.models.stored_precision import round_kernels

    pixels = pictures(4, 0)
    features = gate_features(build_gate_backbone(SIDE), pixels)
    whole = gate_features(round_kernels(build_backbone("EfficientNetLite0", SIDE, taps=TAPS), "float16"), pixels)
    assert features.shape == (4, 744)
    np.testing.assert_allclose(features, whole[:, :744], atol=1e-4)
