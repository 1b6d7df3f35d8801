"""Pictures that are no scans, to try a gate on: crops of photographs, noise, drawings, pages of text, flat ones and ramps.

Everything is generated from a seed, or cropped from the pictures that scikit-image and scikit-learn install.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from pipeline.engine.extras import brought_by_extra

PHOTOGRAPHS, NOISE, DRAWINGS, TEXT, FLAT = "photographs", "noise", "drawings", "text pages", "flat pictures and gradients"
KINDS = (PHOTOGRAPHS, NOISE, DRAWINGS, TEXT, FLAT)
SMALLEST, LARGEST = 160, 1024

_SCIKIT_IMAGE = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
    "color.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "logo.png",
    "microaneurysms.png", "moon.png", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip
_SCIKIT_LEARN = ("china.jpg", "flower.jpg")


@dataclass(frozen=True, slots=True)
class ForeignPicture:
    """kind: one of KINDS. name: what it was made from. pixels: uint8 (H, W), or RGB (H, W, 3)."""

    kind: str
    name: str
    pixels: np.ndarray


def foreign_pictures(seed: int, count: int) -> Iterator[ForeignPicture]:
    """About `count` pictures of every kind, the same for the same seed.

    Photographs come in pairs, each crop in colour and in gray. Raises MissingArtifactError where scikit-image,
    a development requirement, is not installed.
    """
    makers = (NOISE, noise), (DRAWINGS, drawing), (TEXT, text_page), (FLAT, flat_picture)
    yield from photographs(seed, count)
    for position, (kind, make) in enumerate(makers):
        for number in range(count):
            chance = np.random.default_rng([seed, position, number])
            name, pixels = make(chance)
            yield ForeignPicture(kind, f"{name} {number}", pixels)


def photograph_files() -> list[Path]:
    """The picture files of scikit-image and scikit-learn. Raises MissingPackageError."""
    with brought_by_extra():
        import skimage
        import sklearn
    folders = (Path(skimage.__file__).parent / "data", _SCIKIT_IMAGE), (
        Path(sklearn.__file__).parent / "datasets" / "images", _SCIKIT_LEARN)  # fmt: skip
    return [folder / name for folder, names in folders for name in names if (folder / name).is_file()]


def photographs(seed: int, count: int) -> Iterator[ForeignPicture]:
    """`count` pictures: every photograph whole, then random crops of random size; each in colour and in gray."""
    files = photograph_files()
    for number in range(count // 2):
        chance = np.random.default_rng([seed, 99, number])
        file = files[number % len(files)]
        colour = _read_colour(file)
        if number >= len(files):
            colour = _crop(colour, chance)
        name = f"{file.stem} {number}"
        yield ForeignPicture(PHOTOGRAPHS, f"{name} colour", colour)
        yield ForeignPicture(PHOTOGRAPHS, f"{name} gray", cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY))


def noise(chance: np.random.Generator) -> tuple[str, np.ndarray]:
    """One of: uniform, normal, salt and pepper, clouds (1/f^k), speckle, stripes, blocks, a ramp, a flat field."""
    height, width = _size(chance)
    kind = ("uniform", "normal", "salt", "clouds", "clouds", "speckle", "stripes", "blocks", "ramp", "flat")[chance.integers(10)]
    across = np.linspace(0, 1, width)[None] * np.ones((height, 1))
    if kind == "uniform":
        field = chance.random((height, width))
    elif kind == "normal":
        field = chance.uniform(0.3, 0.7) + chance.uniform(0.03, 0.3) * chance.normal(size=(height, width))
    elif kind == "salt":
        field = (chance.random((height, width)) < chance.uniform(0.02, 0.5)).astype(float)
    elif kind == "clouds":
        field = _clouds(height, width, chance.uniform(0.5, 2.5), chance)
    elif kind == "speckle":
        field = _clouds(height, width, 2, chance) * chance.exponential(0.7, (height, width))
    elif kind == "stripes":
        field = 0.5 + 0.5 * np.sin(chance.uniform(5, 200) * np.rot90(across, chance.integers(2)).copy())
    elif kind == "blocks":
        small = chance.random((int(chance.integers(2, 40)), int(chance.integers(2, 40))))
        field = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    elif kind == "ramp":
        field = across * chance.uniform(0.3, 1) + 0.02 * chance.normal(size=(height, width))
    else:
        field = np.full((height, width), chance.random()) + 0.005 * chance.normal(size=(height, width))
    return kind, np.rint(np.clip(field, 0, 1) * 255).astype(np.uint8)


def drawing(chance: np.random.Generator) -> tuple[str, np.ndarray]:
    """One of: line art, filled shapes, a sketched rib cage, a chart."""
    kind = ("lines", "shapes", "ribs", "chart")[chance.integers(4)]
    return kind, {"lines": _lines, "shapes": _shapes, "ribs": _rib_sketch, "chart": _chart}[kind](chance)


def text_page(chance: np.random.Generator) -> tuple[str, np.ndarray]:
    """A page of typed lines of random letters, dark on light or light on dark, sometimes skewed and blurred as a scan is."""
    height, width = _size(chance)
    is_dark = chance.random() < 0.2
    paper, ink = (20, 230) if is_dark else (int(chance.integers(200, 256)), int(chance.integers(0, 80)))
    page = np.full((height, width), paper, np.uint8)
    scale = chance.uniform(0.35, 1.2)
    font = int(chance.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_DUPLEX]))
    letters = np.array(list("aaabcdeeeefghiiijklmnnoooprrssttuuvwyz     ,."))
    for bottom in range(int(30 * scale) + 10, height - 5, int(chance.uniform(28, 45) * scale)):
        line = "".join(chance.choice(letters, int(width / (17 * scale))))
        cv2.putText(page, line, (int(0.05 * width), bottom), font, scale, ink, 1 + (scale > 0.9), cv2.LINE_AA)
    if chance.random() < 0.4:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), chance.uniform(-5, 5), 1)
        page = cv2.GaussianBlur(cv2.warpAffine(page, turn, (width, height), borderValue=paper), (3, 3), 0)
    return "page", page


def flat_picture(chance: np.random.Generator) -> tuple[str, np.ndarray]:
    """One of: all black, all white, one gray, and gradients without any noise: along a direction, from a centre outwards."""
    height, width = _size(chance)
    kind = ("black", "white", "gray", "gradient", "radial")[chance.integers(5)]
    down, across = np.mgrid[0:1:1j * height, 0:1:1j * width]
    if kind == "gradient":
        turn = chance.uniform(0, 2 * np.pi)
        field = across * np.cos(turn) + down * np.sin(turn)
    elif kind == "radial":
        field = np.hypot(across - chance.random(), down - chance.random()) * chance.choice([-1, 1])
    else:
        field = np.full((height, width), {"black": 0, "white": 1, "gray": chance.random()}[kind])
    if kind in ("gradient", "radial"):
        field = (field - field.min()) / np.ptp(field)
    return kind, np.rint(field * 255).astype(np.uint8)


@lru_cache
def _read_colour(file: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(file).convert("RGB"))


def _size(chance: np.random.Generator) -> tuple[int, int]:
    height = int(chance.integers(SMALLEST, LARGEST))
    return height, int(np.clip(height * chance.uniform(0.6, 1.6), SMALLEST, LARGEST))


def _crop(colour: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    height, width = colour.shape[:2]
    tall, wide = (max(min(side, 96), int(side * chance.uniform(0.3, 0.95))) for side in (height, width))
    top, left = int(chance.integers(height - tall + 1)), int(chance.integers(width - wide + 1))
    return np.ascontiguousarray(colour[top : top + tall, left : left + wide])


def _clouds(height: int, width: int, steepness: float, chance: np.random.Generator) -> np.ndarray:
    """Noise of spectrum 1/f^steepness, stretched to 0…1."""
    spectrum = np.fft.rfft2(chance.normal(size=(height, width)))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    radius[0, 0] = 1
    field = np.fft.irfft2(spectrum / radius**steepness, (height, width))
    return (field - field.min()) / (np.ptp(field) + 1e-12)


def _lines(chance: np.random.Generator) -> np.ndarray:
    height, width = _size(chance)
    is_dark = chance.random() < 0.5
    page = np.full((height, width), 0 if is_dark else 255, np.uint8)
    for _ in range(int(chance.integers(3, 40))):
        points = (chance.random((int(chance.integers(2, 9)), 1, 2)) * (width, height)).astype(np.int32)
        tone = int(chance.integers(120, 256)) if is_dark else int(chance.integers(0, 136))
        cv2.polylines(page, [points], bool(chance.integers(2)), tone, int(chance.integers(1, 7)), cv2.LINE_AA)
    return page


def _shapes(chance: np.random.Generator) -> np.ndarray:
    height, width = _size(chance)
    page = np.full((height, width, 3), chance.integers(0, 256, 3), np.uint8)
    for _ in range(int(chance.integers(3, 25))):
        tone = [int(value) for value in chance.integers(0, 256, 3)]
        centre = (int(chance.integers(width)), int(chance.integers(height)))
        axes = (int(chance.integers(5, width // 2)), int(chance.integers(5, height // 2)))
        if chance.random() < 0.5:
            cv2.ellipse(page, centre, axes, float(chance.uniform(0, 180)), 0, 360, tone, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(page, centre, (centre[0] + axes[0], centre[1] + axes[1]), tone, -1)
    return page


def _rib_sketch(chance: np.random.Generator) -> np.ndarray:
    """What a child would draw of a chest X-ray: two dark lungs, a spine and rib arcs on gray."""
    height, width = _size(chance)
    page = np.full((height, width), int(chance.integers(60, 200)), np.uint8)
    for side in (-1, 1):
        across, tone = int(width * (0.5 + side * 0.2)), int(chance.integers(0, 60))
        lung = (int(width * 0.14), int(height * 0.33))
        cv2.ellipse(page, (across, height // 2), lung, 0, 0, 360, tone, -1, cv2.LINE_AA)
        for rib in range(int(chance.integers(5, 10))):
            centre, bow = (across, int(height * (0.25 + 0.07 * rib))), (int(width * 0.2), int(height * 0.06))
            cv2.ellipse(page, centre, bow, side * 15, 180, 360, 230, int(chance.integers(1, 6)), cv2.LINE_AA)
    cv2.rectangle(page, (int(width * 0.47), 0), (int(width * 0.53), height), 235, -1)
    return page


def _chart(chance: np.random.Generator) -> np.ndarray:
    """A Matplotlib figure in colour: curves, bars, a scatter or a heat map."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(float(chance.uniform(3, 8)), float(chance.uniform(3, 6))), dpi=100)
    canvas, axes, kind = FigureCanvasAgg(figure), figure.add_subplot(), int(chance.integers(4))
    if kind == 0:
        axes.plot(np.cumsum(chance.normal(size=(80, 3)), axis=0))
    elif kind == 1:
        axes.bar(np.arange(9), chance.random(9))
    elif kind == 2:
        axes.scatter(*chance.normal(size=(2, 200)), c=chance.random(200))
    else:
        axes.imshow(chance.random((12, 12)), cmap=str(chance.choice(["gray", "viridis"])))
    axes.set_title("a chart")
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
