"""The gate as a bundle of its own, learnt from the real scans: network, statistics of each kind, figures and card."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.data.gate.gate_pictures import foreign_gate_pictures, scan_pictures
from pipeline.data.preprocessing import Profile
from pipeline.data.scans import XRAY
from pipeline.engine.files import atomic_write_text
from pipeline.evaluation.studies.gate_figures import (
    FOLDS,
    SEED,
    GateFigure,
    fit_kinds,
    fold_of_pictures,
    gate_figures,
    see_pictures,
    taken_out_of_fold,
)
from pipeline.export.bundle_folder import file_table, refuse_foreign_folder, staged_bundle, write_description
from pipeline.export.card.rendering import render_card
from pipeline.export.gate.gate_files import NETWORK_FILE, write_gate_network, write_kind
from pipeline.inference.gate.description import GATE
from pipeline.inference.gate.measures import FeatureNetwork

SIZE = 224
FOREIGN, FOREIGN_SEED = 400, 11
# Of the five folds of patients, this one sets the thresholds of the gate that is stored.
VALIDATION_FOLD = 0


def write_gate_bundle(
    data: Path, out: Path, track: Callable[[Iterable], Iterable] = iter, foreign: int = FOREIGN
) -> list[GateFigure]:
    """Learn the gate from the scans under ``data`` and write its bundle; returns its figures, out of fold by patient.

    The figures are those of five gates that each saw three fifths of the patients; the one that is stored learns from four
    fifths, and the last fifth sets its thresholds. ``track``: tells of the pictures' progress. ``foreign``: pictures of every
    kind that is no scan, for the figures alone.

    Raises DataError (no such scans, too few), UsageError (``out`` is something else), MissingArtifactError (scikit-image).
    """
    refuse_foreign_folder(out)
    with staged_bundle(out) as folder:
        write_gate_network(folder, _backbone())
        network, profile = FeatureNetwork(folder / NETWORK_FILE, "cpu"), Profile(modality=XRAY, size=SIZE)
        pictures = chain(scan_pictures(data), foreign_gate_pictures(foreign, FOREIGN_SEED))
        seen = see_pictures(track(pictures), lambda gray: network.features(gray, profile, {}))
        figures = gate_figures(seen, taken_out_of_fold(seen))
        valid = fold_of_pictures(seen) == VALIDATION_FOLD
        kinds: dict[str, Any] = {}
        for kind, statistics in fit_kinds(seen, ~valid, valid).items():
            mine = Profile(modality=kind, size=SIZE)
            kinds[kind] = write_kind(folder, f"{kind}.npz", statistics.packed_arrays(), statistics, mine)
        document = {
            "system": GATE,
            "network": NETWORK_FILE,
            "kinds": kinds,
            "figures": {"folds": FOLDS, "seed": SEED, "groups": [figure.document() for figure in figures]},
            "stored_precision": "float16",
        }
        atomic_write_text(folder / "MODEL_CARD.md", render_card("gate", document=document, files=file_table(folder)))
        write_description(folder, document)
    return figures


def _backbone() -> Any:
    from pipeline.models.backbones.gate_backbone import build_gate_backbone

    return build_gate_backbone(SIZE)
