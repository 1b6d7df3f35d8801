import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.studies import lung_energy as lungs_of
from pipeline.evaluation.studies.lung_energy import blacked_out, lung_ablation, lung_energy, lung_energy_report

MASK = np.zeros((4, 4), bool)
MASK[1:3, 1:3] = True


@pytest.mark.parametrize(
    ("heat", "mask", "expected"),
    [
        (np.ones((4, 4)), MASK, (0.25, 0.25)),  # spread evenly: the lungs' own share
        (MASK.astype(float), MASK, (1.0, 0.25)),
        (~MASK * 3.0, MASK, (0.0, 0.25)),
        (np.ones((4, 4)) + 11 * MASK, MASK, (0.8, 0.25)),  # 48 of 60
        (np.zeros((4, 4)), MASK, (None, 0.25)),
        (np.ones((4, 4)), np.zeros((4, 4), bool), (None, None)),
        (np.zeros((4, 4)), np.zeros((4, 4), bool), (None, None)),
        (np.ones((4, 4)), np.ones((4, 4), bool), (1.0, 1.0)),
    ],
)
def test_share_of_the_map_inside_the_mask(heat, mask, expected):
    assert lung_energy(heat, mask) == expected
    scaled, _ = lung_energy(7 * heat, mask)
    assert scaled == pytest.approx(expected[0]) if expected[0] is not None else scaled is None


@pytest.mark.parametrize("heat", [np.ones((3, 4)), np.full((4, 4), -1.0), np.full((4, 4), np.nan), np.ones(16)])
def test_what_is_no_heat_map_is_refused(heat):
    with pytest.raises(DataError):
        lung_energy(heat, MASK)


def test_the_report_counts_what_has_no_share():
    report = lung_energy_report([0.8, 0.6, None, None], [0.2, 0.4, 0.3, None], ["a", "b", "c", "d"], resamples=200)
    assert report["energy"]["value"] == pytest.approx(0.7) and report["area"]["value"] == pytest.approx(0.3)
    assert report["excess"]["value"] == pytest.approx(0.4)
    assert (report["pictures"], report["without_lungs"], report["without_evidence"]) == (2, 1, 1)
    assert report["energy"]["low"] == pytest.approx(0.6) and report["energy"]["high"] == pytest.approx(0.8)


def test_the_interval_is_of_patients_not_of_pictures():
    draw = np.random.default_rng(0)
    levels = np.repeat(draw.uniform(0, 1, 12), 20)
    patients = np.repeat(np.arange(12).astype(str), 20)
    clustered = lung_energy_report(list(levels), [0.3] * 240, patients, resamples=500)["energy"]
    apart = lung_energy_report(list(levels), [0.3] * 240, [""] * 240, resamples=500)["energy"]
    assert clustered["high"] - clustered["low"] > 3 * (apart["high"] - apart["low"])


def test_nothing_to_report():
    report = lung_energy_report([None], [None], [""])
    assert report["energy"] == {"value": None, "low": None, "high": None} and report["pictures"] == 0
    with pytest.raises(DataError):
        lung_energy_report([0.5], [0.5, 0.5], ["a", "b"])


def test_arms_black_out_the_lungs_or_all_else():
    pixels = np.full((1, 4, 4), 9, np.uint8)
    masks = MASK[None]
    assert blacked_out(pixels, masks, lungs_of.WITHOUT_LUNGS).sum() == 12 * 9
    assert blacked_out(pixels, masks, lungs_of.LUNGS_ONLY).sum() == 4 * 9
    whole = blacked_out(pixels, masks, lungs_of.WHOLE)
    assert (whole == pixels).all() and whole is not pixels and (pixels == 9).all()
    with pytest.raises(DataError):
        blacked_out(pixels, MASK[None, :3], lungs_of.WHOLE)


@pytest.fixture
def scans():
    """40 pictures, class told by the level inside the lungs and, the same, by that outside; one has no mask."""
    truth = np.arange(40) % 2
    pixels = np.where(truth[:, None, None] == 1, 200, 50) * np.ones((40, 4, 4), np.uint8)
    masks = np.repeat(MASK[None], 40, axis=0)
    masks[0] = False
    return pixels.astype(np.uint8), masks, truth, [f"p{row // 2}" for row in range(40)]


def reader_of(region):
    """A classifier that looks at one region alone, and calls black the first class."""

    def predict(pixels, rows):
        assert len(rows) == len(pixels)
        bright = pixels[:, region].mean(axis=1) > 100
        return np.where(bright[:, None], [0.1, 0.9], [0.9, 0.1])

    return predict


@pytest.mark.parametrize(("region", "falls"), [(MASK, lungs_of.WITHOUT_LUNGS), (~MASK, lungs_of.LUNGS_ONLY)])
def test_a_classifier_loses_what_it_looks_at(scans, region, falls):
    pixels, masks, truth, patients = scans
    found = lung_ablation(pixels, masks, truth, ("no", "yes"), patients, reader_of(region), resamples=200)
    stays = ({lungs_of.WITHOUT_LUNGS, lungs_of.LUNGS_ONLY} - {falls}).pop()
    assert found[lungs_of.WHOLE]["accuracy"]["value"] == found[stays]["accuracy"]["value"] == 1.0
    assert found[falls]["accuracy"]["value"] == pytest.approx(19 / 39)
    assert found["change"][falls]["accuracy"]["value"] == pytest.approx(19 / 39 - 1)
    assert found["change"][falls]["accuracy"]["high"] < 0
    assert (found["pictures"], found["without_lungs"]) == (39, 1)


def test_the_threshold_of_the_bundle_decides(scans):
    pixels, masks, truth, patients = scans
    always = lung_ablation(
        pixels, masks, truth, ("no", "yes"), patients, reader_of(MASK), lambda probs: np.ones(len(probs), np.intp), resamples=50
    )
    assert always[lungs_of.WHOLE]["accuracy"]["value"] == pytest.approx(20 / 39)


def test_no_mask_at_all_is_refused(scans):
    pixels, masks, truth, patients = scans
    with pytest.raises(DataError, match="No picture has a lung mask"):
        lung_ablation(pixels, masks & False, truth, ("no", "yes"), patients, reader_of(MASK))
