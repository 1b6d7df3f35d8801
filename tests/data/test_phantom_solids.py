import numpy as np
import pytest

from pipeline.data.phantom.solids import Capsule, Ellipsoid, Grid, LatticeNoise, coverage


def cube(half: float = 30.0, count: int = 60, top_down: bool = False) -> Grid:
    z = (half, -half) if top_down else (-half, half)
    return Grid(Grid.axis(-half, half, count), Grid.axis(-half, half, count), Grid.axis(*z, count))


def volume(sampled, voxel_mm3: float = 1.0) -> float:
    return float(sampled[1].sum()) * voxel_mm3


def test_axis_holds_the_centres_of_equal_cells():
    np.testing.assert_allclose(Grid.axis(-2, 2, 4), [-1.5, -0.5, 0.5, 1.5])


def test_coverage_is_a_half_on_the_surface_and_bounded():
    np.testing.assert_allclose(coverage(np.array([-9, -1, 0, 0.5, 9], np.float32), 2.0), [0, 0, 0.5, 0.75, 1])


@pytest.mark.parametrize("top_down", [False, True])
def test_box_holds_exactly_the_points_between_the_corners(top_down):
    grid = cube(top_down=top_down)
    box = grid.box((-5, -30, 2), (5, 30, 12))
    inside = grid.crop(box)
    assert inside.shape == (60, 10, 10)
    assert inside.z.min() > 2 and inside.z.max() < 12
    assert grid.box((31, 0, 0), (40, 1, 1)) is None


@pytest.mark.parametrize("top_down", [False, True])
def test_capsule_has_the_volume_of_a_tube_with_round_ends(top_down):
    tube = Capsule((-8, 3, -6), (9, -4, 10), 6, 6)
    length = np.linalg.norm(np.subtract(tube.end, tube.start))
    expected = np.pi * 6**2 * length + 4 / 3 * np.pi * 6**3
    assert volume(tube.sample(cube(top_down=top_down))) == pytest.approx(expected, rel=0.02)


def test_capsule_narrows_towards_its_end_and_misses_far_grids():
    tube = Capsule((-20, 0, 0), (20, 0, 0), 8, 2)
    box, share = tube.sample(cube())
    x = cube().crop(box).x
    assert share[:, :, x < -15].sum() > 4 * share[:, :, (x > 15) & (x < 20)].sum()
    assert Capsule((0, 0, 90), (5, 0, 99), 3, 3).sample(cube()) is None


def test_ellipsoid_has_its_volume_whatever_its_tilt():
    expected = 4 / 3 * np.pi * 20 * 12 * 9
    for tilt in (0.0, 0.7):
        sampled = Ellipsoid((1, 2, -3), (20, 12, 9), tilt).sample(cube())
        assert volume(sampled) == pytest.approx(expected, rel=0.03)


def test_tilt_lifts_the_patients_left_end():
    box, share = Ellipsoid((0, 0, 0), (20, 5, 5), 0.6).sample(cube())
    grid = cube().crop(box)
    heights = (share * grid.z[None, :, None]).sum(axis=(0, 1)) / np.maximum(share.sum(axis=(0, 1)), 1e-6)
    assert heights[grid.x > 10].mean() > 3 > -3 > heights[grid.x < -10].mean()


def test_noise_is_the_same_field_on_every_grid():
    noise = LatticeNoise(np.random.default_rng(3), 9.0)
    whole = noise.sample(cube())
    part = noise.sample(cube().crop((slice(4, 9), slice(10, 30), slice(50, 60))))
    np.testing.assert_array_equal(part, whole[4:9, 10:30, 50:60])
    wide = noise.sample(cube(half=200.0))
    assert abs(wide.mean()) < 0.05 and 0.9 < wide.std() < 1.1
