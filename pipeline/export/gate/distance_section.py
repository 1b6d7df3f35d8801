"""The section `gate` of a bundle: the scans that it learnt from, as clouds of the shipped gate's features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.gate.distance_fit import fit_near
from pipeline.data.preprocessing import Profile
from pipeline.data.scans import TRAIN, VALID
from pipeline.engine.errors import DataError
from pipeline.evaluation.studies.gate_figures import take
from pipeline.export.checked_run import CheckedRun
from pipeline.export.gate.gate_files import write_kind
from pipeline.export.run_scans import array_of, learnt_scans
from pipeline.inference.gate.description import SECTION
from pipeline.inference.gate.gate import Gate, open_gate, shipped_gate_hash

# What the gate holds of real scans. Where it takes a smaller share of a run's scans for what they are, they are of a sort of
# their own (generated ones), and what is near to them must pass as well.
WIDENS_BELOW = 0.98


def profiles_of(document: Mapping[str, Any]) -> dict[str, Profile]:
    """{modality: how a bundle's networks see its scans}, by what its description says."""
    told = [document.get("profile"), (document.get("image") or {}).get("profile"), *(document.get("profiles") or {}).values()]
    return {profile["modality"]: Profile(**profile) for profile in reversed(told) if profile is not None}


def fit_section(run: CheckedRun, profiles: Mapping[str, Profile], folder: Path) -> dict[str, Any] | None:
    """Fit the section on the training and validation scans of a run, and write its statistics into ``folder``.

    profiles: of the bundle, by modality. The scans are those of s01's arrays: of the modality's profiles without operations
    the one nearest to the gate's own size, or else the bundle's own. Where the shipped gate takes fewer than 98 % of
    the scans for what they are (generated scans, another sort of images), the entry widens it.

    Returns the entry of ``bundle.json``; None where there is no shipped gate, or of no modality enough scans.
    Raises CorruptArtifactError: the run's files were changed.
    """
    network = shipped_gate_hash()
    if network is None:
        return None
    gate, entries = open_gate(device="cpu"), []
    for modality, wanted in profiles.items():
        stored = array_of(run, modality, wanted, gate.measures[modality].profile.size)
        if stored is None:
            continue
        name, profile = stored
        features, splits = _features(run, gate, name, profile)
        try:
            statistics = fit_near(features[splits == TRAIN], features[splits == VALID], stored=np.float16)
        except DataError:
            continue
        entry = write_kind(folder, f"{SECTION}_{modality}.npz", statistics.packed_arrays(), statistics, profile)
        entries.append(entry | _known(gate, features, modality))
    if not entries:
        return None
    return {"version": 1, "network": None, "network_sha256": network, **entries[0], "further": entries[1:]}


def known_to_gate(run: CheckedRun, profile: Profile) -> dict[str, Any]:
    """What a section that a run fitted itself says of the shipped gate: accepted_by_gate and widens; {} without such a gate."""
    if shipped_gate_hash() is None:
        return {}
    gate = open_gate(device="cpu")
    stored = array_of(run, profile.modality, profile, gate.measures[profile.modality].profile.size)
    return _known(gate, _features(run, gate, *stored)[0], profile.modality) if stored is not None else {}


def _known(gate: Gate, features: np.ndarray, modality: str) -> dict[str, Any]:
    """The share of scans (N, F) that the gate takes for what they are, and whether that is too small."""
    taken = take({kind: measure.statistics for kind, measure in gate.measures.items()}, features)
    accepted = float(np.mean(np.array(taken) == modality)) if taken else 0.0
    return {"accepted_by_gate": accepted, "widens": accepted < WIDENS_BELOW}


def _features(run: CheckedRun, gate: Gate, name: str, profile: Profile) -> tuple[np.ndarray, np.ndarray]:
    """(N, F) features of the training and validation scans in s01's array, and their splits (N,)."""
    mine = learnt_scans(run, profile.modality)
    pixels, measure = run.load(f"pixels_{name}"), gate.measures[profile.modality]
    # The operations are done in the array already.
    as_stored = Profile(modality=profile.modality, size=profile.size)
    features = [measure.network.features(np.asarray(pixels[row]), as_stored, {}) for row in mine["row"]]
    return np.reshape(features, (-1, measure.statistics.width)).astype(np.float32), mine["split"].to_numpy(str)
