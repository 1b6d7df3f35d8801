import subprocess
import sys
from functools import cache

import cv2
import numpy as np
import pytest

from pipeline.data.phantom import CONDITIONS, make_patient
from pipeline.data.phantom.projection import XrayPose, _project, coronal_grid, lung_window
from pipeline.engine.errors import ConfigError

SEED = 11
IMAGES = ("xray", "ct", "ct_hu", "xray_lung_mask", "ct_lung_mask")


@cache
def patient(condition: str, seed: int = SEED, severity: float = 1.0, noise: float = 0.0):
    return make_patient(seed, condition, severity=severity, noise=noise)


def raised_hu(condition: str, seed: int = SEED) -> np.ndarray:
    return patient(condition, seed).ct_hu.astype(int) - patient("normal", seed).ct_hu


@pytest.mark.parametrize("size", [64, 200])
def test_shapes_and_types(size):
    made = make_patient(1, "normal", size=size)
    assert {name: (getattr(made, name).shape, getattr(made, name).dtype.name) for name in IMAGES} == {
        "xray": ((size, size), "uint8"),
        "ct": ((size, size), "uint8"),
        "ct_hu": ((size, size), "int16"),
        "xray_lung_mask": ((size, size), "bool"),
        "ct_lung_mask": ((size, size), "bool"),
    }


def test_one_seed_one_patient():
    first, again = make_patient(5, "covid", size=96), make_patient(5, "covid", size=96)
    other = make_patient(6, "covid", size=96)
    for name in IMAGES:
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
        assert getattr(first, name).tobytes() != getattr(other, name).tobytes()


def test_at_severity_0_the_condition_changes_nothing():
    normal = make_patient(SEED, "normal", size=96)
    for condition in CONDITIONS:
        same = make_patient(SEED, condition, severity=0.0, size=96)
        for name in IMAGES:
            assert getattr(same, name).tobytes() == getattr(normal, name).tobytes(), (condition, name)


@pytest.mark.parametrize("condition", ["covid", "bacterial", "viral"])
def test_a_lesion_changes_the_lungs_and_nothing_else(condition):
    ill, well = patient(condition), patient("normal")
    for mask in ("xray_lung_mask", "ct_lung_mask"):
        np.testing.assert_array_equal(getattr(ill, mask), getattr(well, mask))
    near_lung = cv2.dilate(well.ct_lung_mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    difference = raised_hu(condition)
    assert not difference[~near_lung].any()
    assert difference[well.ct_lung_mask].mean() > 15
    brighter = ill.xray.astype(int) - well.xray
    assert brighter[well.xray_lung_mask].mean() > 4


def test_severity_deepens_the_lesion():
    lung = patient("normal").ct_lung_mask
    means = [patient("covid", severity=s).ct_hu[lung].mean() for s in (0.0, 0.5, 1.0)]
    assert means[0] + 5 < means[1] < means[2] - 5


def test_ct_is_in_hounsfield_units():
    well = patient("normal")
    assert -905 < np.median(well.ct_hu[well.ct_lung_mask]) < -770
    np.testing.assert_array_equal(well.ct_hu[:6], -1000)
    tissue = well.ct_hu[(well.ct_hu > -300) & ~well.ct_lung_mask]
    assert -110 < np.percentile(tissue, 10) < 0 and 300 < tissue.max() < 2000
    np.testing.assert_array_equal(well.ct, lung_window(well.ct_hu))


def test_lung_window_runs_from_minus_1350_to_150():
    hu = np.array([-2000, -1350, -975, -600, -225, 150, 900], np.int16)
    np.testing.assert_array_equal(lung_window(hu), [0, 0, 64, 128, 191, 255, 255])


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_film_is_dark_in_air_and_lung_and_bright_in_the_middle(seed):
    well = patient("normal", seed)
    lungs = np.median(well.xray[well.xray_lung_mask])
    side = well.xray[200:, :4].mean()
    heart_and_spine = np.median(well.xray[100:160, 118:138])
    assert side < 20 < lungs < 120 < 165 < heart_and_spine


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_masks_hold_one_lung_on_either_side(seed):
    well = patient("normal", seed)
    for mask in (well.xray_lung_mask, well.ct_lung_mask):
        assert 0.1 < mask.mean() < 0.4
        _, _, areas, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        large = [x for area, (x, _) in zip(areas[1:, 4], centres[1:], strict=True) if area > 0.2 * mask.sum()]
        assert len(large) == 2 and min(large) < 118 and max(large) > 138


def test_covid_is_bilateral_and_peripheral():
    for seed in (11, 12, 13):
        lesion = raised_hu("covid", seed) > 80
        lung = patient("normal", seed).ct_lung_mask
        left, right = lesion[:, :128].sum(), lesion[:, 128:].sum()
        assert min(left, right) > 0.1 * max(left, right) > 0
        # Depth below the chest wall, which the hull of both lungs follows.
        hull = np.zeros(lung.shape, np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(lung.astype(np.uint8))), 1)
        depth = cv2.distanceTransform(hull, cv2.DIST_L2, 5)
        assert depth[lesion].mean() < 0.8 * depth[lung].mean()
        hazy = patient("covid", seed).ct_hu[lesion & lung]
        assert -720 < np.median(hazy) < -350


def test_bacterial_fills_one_lung_densely_and_on_the_same_side_of_both_images():
    for seed in (11, 12, 24):
        raised = raised_hu("bacterial", seed)
        dense = (raised > 400) & (patient("bacterial", seed).ct_hu > -150)
        halves = np.array([dense[:, :128].sum(), dense[:, 128:].sum()])
        assert halves.max() > 300 and halves.min() < 0.05 * halves.max()
        film = patient("bacterial", seed).xray.astype(int) - patient("normal", seed).xray
        sides = np.array([film[:, :128].clip(8).sum(), film[:, 128:].clip(8).sum()])
        assert sides.argmax() == halves.argmax()


def test_viral_is_diffuse_and_textured():
    lung = cv2.erode(patient("normal").ct_lung_mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    raised = raised_hu("viral")
    for half in (slice(0, 128), slice(128, 256)):
        inside = raised[:, half][lung[:, half]]
        assert (inside > 30).mean() > 0.6
    fine = raised - cv2.blur(raised.astype(np.float32), (9, 9))
    assert fine[lung].std() > 50


def test_noise_is_a_knob():
    grain = {}
    for level in (0.0, 1.0, 3.0):
        made = make_patient(SEED, "normal", noise=level)
        grain[level] = made.ct_hu[:12].std()
    assert grain[0.0] == 0
    assert grain[1.0] == pytest.approx(20, abs=8)  # air is clipped at -1024 HU
    films = [make_patient(SEED, "normal", noise=level).xray.astype(int) for level in (0.0, 1.0, 3.0)]
    errors = [np.abs(film - films[0])[128:].mean() for film in films]
    assert errors[0] == 0 < errors[1] < 0.6 * errors[2]


def test_source_artefact_marks_the_corner_and_flattens_the_gamma():
    plain = make_patient(SEED, "normal", noise=0.0)
    marked = make_patient(SEED, "normal", noise=0.0, source_artifact=True)
    np.testing.assert_array_equal(marked.ct_hu, plain.ct_hu)
    for name in ("xray", "ct"):
        before, after = getattr(plain, name), getattr(marked, name)
        assert after[:36, :44].max() == 255 > before[:36, :44].max()
        rest = np.s_[40:, :]
        expected = (255 * (before[rest] / 255) ** 0.72).round()
        np.testing.assert_allclose(after[rest], expected, atol=1)


def test_projection_is_the_line_integral():
    grid = coronal_grid()
    water = np.zeros(grid.shape, np.float32)
    water[10:30] = 1000.0
    pose = XrayPose(0, 0, 300, 0.03, 0.05, 0, 0, 1, 1)
    path, lung_path = _project(water, np.zeros_like(water), grid, pose, 64)
    step = float(grid.y[1] - grid.y[0])
    np.testing.assert_allclose(path[20:44, 20:44] / 1000 * step, 20 * step, rtol=1e-5)
    assert not lung_path.any()


def test_a_lung_near_the_source_is_cast_larger():
    grid = coronal_grid()
    pose = XrayPose(0, 0, 300, 0, 0, 0, 0, 1, 1)
    widths = []
    for slab in (4, 50):
        body = np.zeros(grid.shape, np.float32)
        body[slab, 60:140, 60:140] = 1
        widths.append(_project(body, body, grid, pose, 256)[0].sum() ** 0.5)
    assert widths[1] / widths[0] == pytest.approx(
        (1600 - float(grid.y[4])) / (1600 - float(grid.y[50])), rel=0.01
    )


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"condition": "covd"}, "'covid'"),
        ({"severity": -0.1}, "severity"),
        ({"severity": float("nan")}, "severity"),
        ({"severity": 2.5}, "severity"),
        ({"noise": "loud"}, "noise"),
        ({"size": 10}, "size"),
        ({"size": 256.0}, "size"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
    ],
)
def test_bad_arguments_are_refused(arguments, word):
    with pytest.raises(ConfigError, match=word):
        make_patient(**({"seed": 1, "condition": "covid"} | arguments))


def test_import_brings_numpy_and_opencv_only():
    code = (
        "import sys, pipeline.data.phantom;"
        "heavy = 'tensorflow keras pandas scipy sklearn matplotlib pydicom pydantic'.split();"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
