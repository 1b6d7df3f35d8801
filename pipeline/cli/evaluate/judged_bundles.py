"""A classifier's bundle, and one of vision and text, as `evaluate` asks them: a labelled image in, answers and maps out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.engine.errors import DataError
from pipeline.inference.bundle_files import CLASSIFIER, VISION_TEXT

if TYPE_CHECKING:
    import numpy as np

    from pipeline.data.layouts.labelled_cases import LabelledCase
    from pipeline.data.preprocessing import Profile
    from pipeline.inference.classifier.answers import ImageAnswer


class JudgedBundle(Protocol):
    """path: the bundle's folder. system: of `bundle.json`. class_names: in the order of the probabilities.

    threshold: of positive_class, one of two.
    """

    path: Path
    system: str
    class_names: tuple[str, ...]
    positive_class: str | None
    threshold: float
    profile: Profile

    def answers(self, images: Iterable[LabelledCase]) -> list[ImageAnswer]:
        """One an image; what cannot be read is named in it."""
        ...

    def activations(self, image: LabelledCase, gray: np.ndarray) -> dict[str, np.ndarray]:
        """{method: heat map (H, W) of the class that is named}."""
        ...

    def probabilities(self, pixels: np.ndarray, images: Sequence[LabelledCase]) -> np.ndarray:
        """(n, K) of preprocessed scans (n, S, S) uint8 that stand in for the images' own."""
        ...

    def decide(self, probs: np.ndarray) -> int:
        """Index of the class that (K,) probabilities name."""
        ...


class ImageBundle:
    """A classifier of images alone."""

    system = CLASSIFIER

    def __init__(self, bundle: Path) -> None:
        from pipeline.inference.classifier.bundle import load_classifier_bundle
        from pipeline.inference.classifier.classifier import Classifier

        self.path, self._classifier = bundle, Classifier(load_classifier_bundle(bundle))
        manifest = self._classifier.bundle.manifest
        self.class_names, self.positive_class = tuple(manifest.class_names), manifest.positive_class
        self.threshold, self.profile = manifest.threshold, manifest.profile
        self.decide = self._classifier.decide

    def answers(self, images: Iterable[LabelledCase]) -> list[ImageAnswer]:
        from pipeline.inference.classifier.answers import answer_images

        return list(answer_images(self._classifier, (image.source for image in images)))

    def activations(self, image: LabelledCase, gray: np.ndarray) -> dict[str, np.ndarray]:
        from pipeline.inference.classifier.classifier import METHODS

        return self._classifier.classify(gray, tuple(METHODS)).activations

    def probabilities(self, pixels: np.ndarray, images: Sequence[LabelledCase]) -> np.ndarray:
        return self._classifier.probabilities(pixels)


class CaseBundle:
    """A classifier of images with their notes; a case without a note is answered by its image."""

    system = VISION_TEXT

    def __init__(self, bundle: Path) -> None:
        from pipeline.inference.vision_text.bundle import load_fusion_bundle
        from pipeline.inference.vision_text.predictor import FusionPredictor

        self.path, self._predictor = bundle, FusionPredictor(load_fusion_bundle(bundle))
        manifest = self._predictor.bundle.manifest
        self.class_names, self.positive_class = tuple(manifest.class_names), manifest.positive_class
        self.threshold, self.profile = manifest.threshold, manifest.image.profile

    def answers(self, images: Iterable[LabelledCase]) -> list[ImageAnswer]:
        return [self._answer(image) for image in images]

    def _answer(self, image: LabelledCase) -> ImageAnswer:
        from pipeline.data.reading.gray_reader import read_gray
        from pipeline.inference.classifier.answers import ImageAnswer

        try:
            found = self._predictor.answer(read_gray(image.source.path), image.note)
        except DataError as error:
            return ImageAnswer(image.source, error=error.message)
        told = {"used": " and ".join(found.used)}
        return ImageAnswer(image.source, found.predicted, found.probabilities[found.predicted], found.probabilities, told)

    def activations(self, image: LabelledCase, gray: np.ndarray) -> dict[str, np.ndarray]:
        return {"gradcam": self._predictor.answer(gray, image.note, gradcam=True).activation}

    def probabilities(self, pixels: np.ndarray, images: Sequence[LabelledCase]) -> np.ndarray:
        import numpy as np

        cases = zip(pixels, images, strict=True)
        rows = [self._predictor.preprocessed_answer(scan, image.note).probabilities for scan, image in cases]
        return np.array([[row[name] for name in self.class_names] for row in rows])

    def decide(self, probs: np.ndarray) -> int:
        by_name = dict(zip(self.class_names, map(float, probs), strict=True))
        return self.class_names.index(self._predictor.decide(by_name))
