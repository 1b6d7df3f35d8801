"""What the studies train on and how. Importable without TensorFlow."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.data.phantom.patient import MAXIMUM_SEVERITY, MAXIMUM_SIZE, MINIMUM_SIZE
from pipeline.evaluation.comparison.variants import ADVERSARIAL, ERASED, PLAIN
from pipeline.training.settings import AdversarialSettings, FitSettings, Settings

ARMS = (PLAIN, ADVERSARIAL, ERASED)


class StudySettings(Settings):
    """Phantoms, arms and trainings of a study.

    patients: each with an X-ray and a CT slice. seeds: trainings of each arm. severity: of the lesion, COVID's in both
    modalities. marker: severity of the planted marker of ``hidden``, 0 to 1. size: of the pictures, px. fit, adversarial: as in
    ``configs/respiratory_mtl.yaml``, but that an epoch has ``minibatches`` however few the phantoms, as many as the real scans
    make; what follows the generator is fitted as the plain extractor is.
    """

    patients: Annotated[int, Field(ge=24)] = 480
    seeds: Annotated[int, Field(ge=1)] = 10
    seed: Annotated[int, Field(ge=0)] = 0
    severity: Annotated[float, Field(ge=0, le=MAXIMUM_SEVERITY)] = 0.5
    marker: Annotated[float, Field(ge=0, le=1)] = 1.0
    size: Annotated[int, Field(ge=MINIMUM_SIZE, le=MAXIMUM_SIZE)] = 128
    arms: tuple[str, ...] = ARMS
    fit: FitSettings = FitSettings(epochs=30, patience=6, learning_rate=2e-4, monitor="val_auc", mixup=0.4)
    adversarial: AdversarialSettings = AdversarialSettings(label_weight=1.5)
    minibatches: Annotated[int, Field(ge=1)] = 15

    def batch_size(self, scans: int) -> int:
        """Of so many scans to train on; of each cell of modality × label two at least."""
        return max(8, round(scans / self.minibatches))
