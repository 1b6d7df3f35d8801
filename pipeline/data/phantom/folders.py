"""Who a phantom data set holds, and where their files go in each of the three folder layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.layouts.respiratory_folders import FOLDERS
from pipeline.data.scans import COVID, CT, NON_COVID, TEST, TRAIN, XRAY
from pipeline.engine.errors import ConfigError, DataError, did_you_mean
from pipeline.engine.seeds import derive_seed

SOURCE_ARTIFACTS = ("none", "random", "label")
_TEST_SHARE = 0.25
_RESPIRATORY_FOLDERS = {place: name for name, place in FOLDERS.items()}
_RADIOGRAPHY_CLASSES = {
    "covid": COVID,
    "bacterial": "Lung_Opacity",
    "normal": "Normal",
    "viral": "Viral Pneumonia",
}
_PNEUMONIA_CLASSES = {"normal": "NORMAL", "bacterial": "PNEUMONIA", "viral": "PNEUMONIA"}
# Kermany's data set numbers its healthy children from 115.
_FIRST_NORMAL_NUMBER = 115

LAYOUT_CLASSES: dict[str, dict[str, str]] = {
    "respiratory": {"covid": COVID, "normal": NON_COVID, "bacterial": NON_COVID, "viral": NON_COVID},
    "radiography": _RADIOGRAPHY_CLASSES,
    "pneumonia": _PNEUMONIA_CLASSES,
}


@dataclass(frozen=True)
class PlannedImage:
    """One picture to write: modality, and the paths of image and mask from the root, with forward slashes."""

    modality: str
    image: str
    mask: str


@dataclass(frozen=True)
class PlannedPatient:
    """One patient to make. label: class name in the layout; source: "site_a" or "site_b"."""

    patient_id: str
    seed: int
    condition: str
    label: str
    split: str
    source: str
    images: tuple[PlannedImage, ...]


def plan_patients(
    patients: int, seed: int, layout: str, source_artifact: str, conditions: Sequence[str] | None
) -> list[PlannedPatient]:
    """Draw conditions, split and source of every patient, and name their files.

    Classes are equally large, and so are the conditions of one class; a quarter of each class is test.
    Nobody's seed depends on condition, split or source. Raises ConfigError for an unknown layout, source
    artefact or condition, and DataError for fewer than two patients a class.
    """
    _check_word("layout", layout, tuple(LAYOUT_CLASSES))
    _check_word("source artefact", source_artifact, SOURCE_ARTIFACTS)
    classes = _chosen_classes(layout, conditions)
    if isinstance(patients, bool) or not isinstance(patients, int):
        raise ConfigError(f"The number of phantom patients is {patients!r}.", "Give a whole number.")
    least = 2 * len(set(classes.values()))
    if patients < least:
        raise DataError(
            f"{patients} phantom patients cannot fill train and test of {least // 2} classes.",
            f"Ask for {least} or more.",
        )
    generator = np.random.default_rng(derive_seed(seed, "phantom", "plan"))
    drawn = _draw_conditions(patients, classes, generator)
    in_test = _draw_test(drawn, classes, generator)
    coins = np.random.default_rng(derive_seed(seed, "phantom", "source")).random(patients) < 0.5
    planned, healthy, ill = [], 0, 0
    for index, condition in enumerate(drawn):
        split = TEST if in_test[index] else TRAIN
        healthy, ill = healthy + (condition == "normal"), ill + (condition != "normal")
        number = healthy if condition == "normal" else ill
        patient_id, images = _files(layout, condition, classes[condition], split, index + 1, number)
        positive = condition != "normal" if layout == "pneumonia" else condition == "covid"
        marked = {"none": False, "random": bool(coins[index]), "label": positive}[source_artifact]
        planned.append(
            PlannedPatient(
                patient_id=patient_id,
                seed=derive_seed(seed, "phantom", "patient", index),
                condition=condition,
                label=classes[condition],
                split=split,
                source="site_b" if marked else "site_a",
                images=images,
            )
        )
    return planned


def _check_word(what: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise ConfigError(
            f"Unknown phantom {what} {word!r}.{did_you_mean(str(word), known)}",
            f"Choose one of: {', '.join(known)}.",
        )


def _chosen_classes(layout: str, conditions: Sequence[str] | None) -> dict[str, str]:
    known = LAYOUT_CLASSES[layout]
    if conditions is None:
        return known
    for condition in conditions:
        _check_word(f"condition for the {layout} layout", condition, tuple(known))
    classes = {condition: label for condition, label in known.items() if condition in conditions}
    missing = [label for label in dict.fromkeys(known.values()) if label not in classes.values()]
    if missing:
        fills = [condition for condition, label in known.items() if label == missing[0]]
        raise ConfigError(
            f"The phantom's conditions leave class {missing[0]!r} of the {layout} layout empty.",
            f"Add {' or '.join(fills)}.",
        )
    return classes


def _draw_conditions(patients: int, classes: dict[str, str], generator: np.random.Generator) -> list[str]:
    by_label: dict[str, list[str]] = {}
    for condition, label in classes.items():
        by_label.setdefault(label, []).append(condition)
    groups = list(by_label.values())
    conditions = []
    for index in range(patients):
        group = groups[index % len(groups)]
        conditions.append(group[index // len(groups) % len(group)])
    return [conditions[index] for index in generator.permutation(patients)]


def _draw_test(conditions: list[str], classes: dict[str, str], generator: np.random.Generator) -> np.ndarray:
    """Bool `(patients,)`: a quarter of each class, spread evenly over its conditions."""
    in_test = np.zeros(len(conditions), dtype=bool)
    for label in dict.fromkeys(classes.values()):
        members = [i for i in generator.permutation(len(conditions)) if classes[conditions[i]] == label]
        members.sort(key=lambda i: conditions[i])
        count = max(1, round(_TEST_SHARE * len(members)))
        every = len(members) / count
        picks = ((np.arange(count) + generator.random()) * every).astype(int)
        in_test[np.array(members)[picks]] = True
    return in_test


def _files(
    layout: str, condition: str, label: str, split: str, running: int, number: int
) -> tuple[str, tuple[PlannedImage, ...]]:
    """Patient id and files. running: place among all; number: place among the healthy or among the ill."""
    if layout == "respiratory":
        name = f"P{running:04d}"
        folders = [(modality, f"{_RESPIRATORY_FOLDERS[modality, split]}/{label}") for modality in (XRAY, CT)]
        images = [
            PlannedImage(m, f"{folder}/{name}.png", f"masks/{folder}/{name}.png") for m, folder in folders
        ]
        return name, tuple(images)
    if layout == "radiography":
        name = f"{label}-{running}"
        image = PlannedImage(XRAY, f"{label}/images/{name}.png", f"{label}/masks/{name}.png")
        return f"P{running:04d}", (image,)
    if condition == "normal":
        person = f"IM-{_FIRST_NORMAL_NUMBER - 1 + number:04d}"
        name = f"{person}-0001"
    else:
        person = f"person{number}"
        name = f"{person}_{'virus' if condition == 'viral' else 'bacteria'}_{running}"
    image = PlannedImage(XRAY, f"{split}/{label}/{name}.png", f"masks/{split}/{label}/{name}.png")
    return person, (image,)
