"""What masks hold is found in the whole set: each way of writing lungs gives the same lungs, or is refused with its option."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.masks.mask_coding import read_mask_coding
from pipeline.data.masks.mask_reader import read_lungs, share_fault
from pipeline.engine.errors import DataError, UsageError

SIZE = (96, 80)
RED, GREEN, BLUE, YELLOW = (0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 255, 255)


def lungs(seed: int = 0) -> np.ndarray:
    """Two ellipses, bool (96, 80), about a third of the picture."""
    chance = np.random.default_rng(seed)
    drawn = np.zeros(SIZE, np.uint8)
    for centre in (22, 58):
        axes = (int(chance.integers(10, 14)), int(chance.integers(28, 36)))
        cv2.ellipse(drawn, (centre, 48), axes, 0, 0, 360, 1, -1)
    return drawn > 0


def written(folder: Path, values: list[np.ndarray], suffix: str = ".png", options: tuple[int, ...] = ()) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}{suffix}" for number in range(len(values))]
    for path, pixels in zip(paths, values, strict=True):
        assert cv2.imwrite(str(path), pixels, options)
    return paths


def coloured(mask: np.ndarray, colour: tuple[int, int, int], ground: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    return np.where(mask[..., None], np.array(colour), np.array(ground)).astype(np.uint8)


TRUE = [lungs(seed) for seed in range(4)]
TOLD = {
    "0 and 1": (lambda mask: mask.astype(np.uint8), "values 0, 1, 1 is taken"),
    "0 and 255": (lambda mask: mask.astype(np.uint8) * np.uint8(255), ""),
    "1 and 2": (lambda mask: mask.astype(np.uint8) + np.uint8(1), "values 1, 2, 2 is taken"),
    "0 and 1 in 16 bits": (lambda mask: mask.astype(np.uint16), "values 0, 1, 1 is taken"),
    "0 and 40000": (lambda mask: mask.astype(np.uint16) * np.uint16(40000), "40000 is taken"),
    "inverted": (lambda mask: (~mask).astype(np.uint8) * np.uint8(255), "inverted: 255 fills"),
    "0 and 1 inverted": (lambda mask: (~mask).astype(np.uint8), "inverted: 1 fills"),
    "red": (lambda mask: coloured(mask, RED), "#ff0000 is taken"),
    "blue": (lambda mask: coloured(mask, BLUE), "#0000ff is taken"),
    "red on white": (lambda mask: coloured(mask, RED, (255, 255, 255)), "inverted"),
    "gray in colour": (lambda mask: coloured(mask, (255, 255, 255)), ""),
}


@pytest.mark.parametrize("way", TOLD)
def test_each_way_of_writing_gives_the_same_lungs(tmp_path, way):
    write, said = TOLD[way]
    paths = written(tmp_path, [write(mask) for mask in TRUE])
    coding = read_mask_coding(paths)
    assert said in coding.said and bool(coding.said) == bool(said)
    for path, mask in zip(paths, TRUE, strict=True):
        np.testing.assert_array_equal(read_lungs(path, coding), mask.astype(np.uint8))


@pytest.mark.parametrize("way", ["0 and 255", "inverted", "red"])
@pytest.mark.parametrize("quality", [50, 75, 95])
def test_ringing_of_a_jpeg_stays_with_its_label(tmp_path, way, quality):
    large = [cv2.resize(mask.astype(np.uint8), None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST) > 0 for mask in TRUE]
    paths = written(tmp_path, [TOLD[way][0](mask) for mask in large], ".jpg", (cv2.IMWRITE_JPEG_QUALITY, quality))
    coding = read_mask_coding(paths)
    for path, mask in zip(paths, large, strict=True):
        read = read_lungs(path, coding) > 0
        # Of a coloured JPEG the colour has half the resolution: its edges are a pixel off.
        assert 2 * (read & mask).sum() / (read.sum() + mask.sum()) > (0.97 if way == "red" else 0.995)


def test_soft_edges_go_to_the_nearer_label(tmp_path):
    soft = [cv2.resize(mask.astype(np.uint8) * np.uint8(255), (240, 288), interpolation=cv2.INTER_LINEAR) for mask in TRUE]
    paths = written(tmp_path, soft)
    coding = read_mask_coding(paths)
    assert coding.levels == (0, 255) and not coding.said
    for path, pixels in zip(paths, soft, strict=True):
        np.testing.assert_array_equal(read_lungs(path, coding), (pixels > 127).astype(np.uint8))


def test_a_one_bit_mask_and_a_palette_are_read(tmp_path):
    Image.fromarray(TRUE[0]).save(tmp_path / "bit.png")
    palette = Image.fromarray(TRUE[0].astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 0, 128, 0])
    palette.save(tmp_path / "palette.png")
    for name, said in (("bit.png", ""), ("palette.png", "#008000")):
        coding = read_mask_coding([tmp_path / name])
        assert said in coding.said
        np.testing.assert_array_equal(read_lungs(tmp_path / name, coding), TRUE[0].astype(np.uint8))


@pytest.mark.parametrize(("value", "kind"), [(1, np.float32), (1, np.int32), (0.5, np.float32), (1, np.uint16)])
def test_masks_of_other_numbers_are_read(tmp_path, value, kind):
    Image.fromarray((TRUE[0] * value).astype(kind)).save(tmp_path / "m.tif")
    coding = read_mask_coding([tmp_path / "m.tif"])
    np.testing.assert_array_equal(read_lungs(tmp_path / "m.tif", coding), TRUE[0].astype(np.uint8))


def labels_picture(mask: np.ndarray) -> np.ndarray:
    """0 outside, 1 the left lung, 2 the right one, 3 a small square in it."""
    picture = mask.astype(np.uint8)
    picture[:, 40:] *= 2
    picture[46:50, 56:60] = 3
    return picture


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(["1", "2"], (1, 2)), ([1, 2, 3], (1, 2, 3)), (["3"], (3,)), (["1-3"], (1, 2, 3)), (["0"], (0,))],
)
def test_several_labels_are_refused_until_somebody_says_which(tmp_path, labels, expected):
    pictures = [labels_picture(mask) for mask in TRUE]
    paths = written(tmp_path, pictures)
    with pytest.raises(DataError, match="4 labels, 0, 1, 2, 3.*--mask-labels.*mask_labels") as refused:
        read_mask_coding(paths, name="the masks of s")
    assert refused.value.message.startswith("the masks of s:")
    coding = read_mask_coding(paths, labels)
    for path, picture in zip(paths, pictures, strict=True):
        np.testing.assert_array_equal(read_lungs(path, coding), np.isin(picture, expected).astype(np.uint8))


def test_a_label_that_occurs_nowhere_is_refused_and_so_is_what_is_none(tmp_path):
    paths = written(tmp_path, [labels_picture(TRUE[0])])
    with pytest.raises(DataError, match="no mask holds the label 4.*They hold 0, 1, 2, 3"):
        read_mask_coding(paths, ["1", "4"])
    for word in ("lung", "-1", "9-3", "#ff00", ""):
        with pytest.raises(UsageError, match="no label of a mask"):
            read_mask_coding(paths, [word])


def test_several_colours_are_refused_by_name_and_one_may_be_chosen(tmp_path):
    picture = coloured(TRUE[0], RED)
    picture[46:50, 56:60] = GREEN
    picture[60:64, 56:60] = YELLOW
    paths = written(tmp_path, [picture])
    with pytest.raises(DataError, match="4 labels, #000000, #ff0000, #00ff00, #ffff00"):
        read_mask_coding(paths)
    chosen = read_lungs(paths[0], read_mask_coding(paths, ["#FF0000", "#00ff00"]))
    np.testing.assert_array_equal(chosen > 0, (picture == RED).all(-1) | (picture == GREEN).all(-1))


@pytest.mark.parametrize(("first", "second"), [(1, 255), (200, 255), (1, 2)])
def test_files_of_two_codings_are_lung_where_they_are_not_0_unless_they_look_like_labels(tmp_path, first, second):
    paths = written(tmp_path, [TRUE[0].astype(np.uint8) * np.uint8(first), TRUE[1].astype(np.uint8) * np.uint8(second)])
    if second == 2:
        with pytest.raises(DataError, match="3 labels, 0, 1, 2"):
            read_mask_coding(paths)
        coding = read_mask_coding(paths, ["1", "2"])
    else:
        coding = read_mask_coding(paths)
        assert f"of the values 0, {first}, {second}, {first}, {second} is taken as lung" in coding.said
    for path, mask in zip(paths, TRUE, strict=False):
        np.testing.assert_array_equal(read_lungs(path, coding), mask.astype(np.uint8))


def test_the_set_decides_and_not_the_file(tmp_path):
    """A mask that fills its picture to the frame is inverted only where all are."""
    full = np.full(SIZE, 255, np.uint8)
    paths = written(tmp_path, [full, *(mask.astype(np.uint8) * np.uint8(255) for mask in TRUE)])
    coding = read_mask_coding(paths)
    assert not coding.said and read_lungs(paths[0], coding).all()
    assert "100.0% of the picture are lung" in share_fault(read_lungs(paths[0], coding))


def test_a_map_of_probabilities_is_refused_until_a_range_is_named(tmp_path):
    soft = cv2.GaussianBlur(TRUE[0].astype(np.uint8) * np.uint8(255), (0, 0), 9)
    paths = written(tmp_path, [soft])
    with pytest.raises(DataError, match="no plain label.*128-255"):
        read_mask_coding(paths)
    np.testing.assert_array_equal(read_lungs(paths[0], read_mask_coding(paths, ["128-255"])), (soft > 127).astype(np.uint8))


def test_shares_that_no_chest_has_are_doubted():
    assert share_fault(np.zeros((10, 10))) == "the mask is empty"
    for share, odd in ((1, True), (2, False), (35, False), (70, False), (71, True)):
        mask = np.zeros(100)
        mask[:share] = 1
        assert (share_fault(mask) is not None) == odd


def test_empty_masks_and_unreadable_ones_decide_nothing(tmp_path):
    paths = written(tmp_path, [np.zeros(SIZE, np.uint8)])
    (tmp_path / "broken.png").write_text("no picture")
    coding = read_mask_coding([*paths, tmp_path / "broken.png", tmp_path / "absent.png"])
    assert not coding.said and not read_lungs(paths[0], coding).any()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_any_two_values_are_told_apart(tmp_path_factory, first, second, seed):
    """The lighter is lung, whatever the two are: no threshold is built in."""
    dark, light = sorted((first, second))
    folder = tmp_path_factory.mktemp("masks")
    mask = lungs(seed)
    coding = read_mask_coding(paths := written(folder, [np.where(mask, light, dark).astype(np.uint8)]))
    read = read_lungs(paths[0], coding) > 0
    if dark < light:
        np.testing.assert_array_equal(read, mask)
    else:
        assert read.all() == (light > 0)


@pytest.mark.realdata
def test_the_real_masks_are_read_as_they_were():
    from pipeline.data.reading.gray_reader import read_gray

    root = Path(__file__).resolve().parents[3] / "shared" / "data"
    paths = sorted((root / "cxr4_masks").rglob("*.png")) + sorted((root / "cxr_ieee_other_masks").rglob("*.png"))
    coding = read_mask_coding(paths)
    assert (coding.levels, coding.lungs, coding.said) == ((0, 255), frozenset({255}), "") and len(paths) == 1355
    for path in paths:
        mask = read_lungs(path, coding)
        np.testing.assert_array_equal(mask, (read_gray(path) > 127).astype(np.uint8))
        assert share_fault(mask) is None
