"""What a classifier makes of the lungs of labelled images: its heat maps' share in them, and its scores without them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.data.layouts.labelled_cases import LabelledCase
from pipeline.data.masks.mask_coding import MaskCoding
from pipeline.data.masks.mask_reader import read_mask_at, share_fault
from pipeline.data.preprocessing import preprocess, resize_square
from pipeline.data.reading.gray_reader import read_gray
from pipeline.data.reading.scan_reader import decoding_apart
from pipeline.engine.errors import DataError
from pipeline.engine.interval_text import interval_text
from pipeline.engine.listing import listed
from pipeline.engine.progress import Reporter
from pipeline.evaluation.studies.lung_energy import (
    LUNGS_ONLY,
    WHOLE,
    WITHOUT_LUNGS,
    lung_ablation,
    lung_energy,
    lung_energy_report,
)
from pipeline.inference.opened_bundle import OpenedBundle


def lung_findings(
    bundle: OpenedBundle, images: Sequence[LabelledCase], coding: MaskCoding | None, reporter: Reporter, seed: int = 0
) -> dict | None:
    """{"gradcam": `lung_energy_report` (and other methods), "ablation": `lung_ablation`, "unreadable", "doubtful"}.

    None without masks. Images without one are left out; one whose image or mask cannot be read is named in "unreadable", one
    whose mask is of an odd share of it in "doubtful". Heat maps are of the class that was named, and masks are brought to
    each image's own size.
    """
    profile, names = bundle.profile, list(bundle.manifest.class_names)
    energies: dict[str, list[float | None]] = {}
    areas, pixels, masks, kept, unreadable, doubtful = [], [], [], [], {}, {}
    masked = [image for image in images if image.mask is not None] if coding is not None else []
    for image in reporter.track(masked, len(masked), "lungs"):
        try:
            with decoding_apart(len(masked) > 1):
                gray = read_gray(image.source.path)
            mask, _ = read_mask_at(image.mask, gray.shape, coding)
        except DataError as error:
            unreadable[image.source.relative.as_posix()] = error.message
            continue
        if (doubt := share_fault(mask)) is not None:
            doubtful[image.source.relative.as_posix()] = doubt
        area = None
        for method, activation in _activations(bundle, image, gray).items():
            energy, area = lung_energy(activation, mask)
            energies.setdefault(method, []).append(energy)
        areas.append(area)
        pixels.append(preprocess(gray, profile))
        masks.append(resize_square(mask.astype(np.uint8) * np.uint8(255), profile.size) > 127)
        kept.append(image)
    if not any(mask.any() for mask in masks):
        return None
    patients = [image.patient_id for image in kept]
    truth = [names.index(image.source.label) for image in kept]
    ablation = lung_ablation(
        np.array(pixels), np.array(masks), truth, names, patients,
        lambda pictures, rows: bundle.probabilities(pictures, [kept[row].note for row in rows]),
        lambda probs: np.array([bundle.manifest.decide(row) for row in probs]), seed,
    )  # fmt: skip
    reports = {method: lung_energy_report(found, areas, patients, seed) for method, found in energies.items()}
    return {**reports, "ablation": ablation, "unreadable": unreadable, "doubtful": doubtful}


def _activations(bundle: OpenedBundle, image: LabelledCase, gray: np.ndarray) -> dict[str, np.ndarray]:
    note = image.note if "note" in bundle.doors else None
    return bundle.answer(gray, note=note, methods=bundle.methods).activations


def lung_words(found: dict) -> list[str]:
    """The findings as lines for people."""
    report, ablation = found["gradcam"], found["ablation"]
    scores = ", ".join(
        f"{words} {interval_text(ablation[arm]['accuracy'])}"
        for arm, words in ((WHOLE, "as they are"), (WITHOUT_LUNGS, "lungs black"), (LUNGS_ONLY, "all but the lungs black"))
    )
    doubts = [f"mask of {name}: {doubt}" for name, doubt in found["doubtful"].items()]
    return [
        f"Lungs, {report['pictures']} images with a mask: {interval_text(report['energy'])} of Grad-CAM lies in them; they are "
        f"{interval_text(report['area'])} of the picture",
        f"  accuracy {scores}",
        *([f"  {len(doubts)} masks are doubtful: {listed(doubts)}"] if doubts else []),
    ]
