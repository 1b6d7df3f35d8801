"""What the notes give away, probed on the folds of the first repeat: words, length, presence, what was masked."""

from __future__ import annotations

import numpy as np

from pipeline.data.notes.clinical_notes import NoteMasker
from pipeline.engine.context import Context
from pipeline.evaluation.studies.note_audit import label_shares, probe_notes, probe_numbers
from pipeline.training.vision_text.features import FusionFeatures
from pipeline.training.vision_text.folds import FoldPlan, plan_folds
from pipeline.training.vision_text.rows import NotedScans
from pipeline.training.vision_text.settings import FusionSettings
from pipeline.training.vision_text.text_features import text_features


def audit_notes(
    context: Context, settings: FusionSettings, scans: NotedScans, features: FusionFeatures, plan: FoldPlan
) -> dict:
    """Probes of the compared notes, of three severities of masking, and of the presence of a note among all scans.

    Keys: notes → {"unmasked", "masked", "strict"}, each {"words": {"auc", "top_words"}, "embedding": {"auc"}}; length,
    masked_count → {"auc"}; presence → {"auc", "share"}; masked_share → share of each class with a masked word.
    """
    rows, folds = scans.compared, plan.folds[0]
    given = (plan.labels, plan.patients, folds, settings.resamples, context.seed)
    strict = NoteMasker((*settings.mask_words, *settings.context_words))
    raw = NoteMasker(())
    versions = {
        "unmasked": [raw.mask(scans.notes[row]).text for row in rows],
        "masked": [scans.masked[row].text for row in rows],
        "strict": [strict.mask(scans.notes[row]).text for row in rows],
    }
    audit: dict = {"notes": {}}
    for name, notes in versions.items():
        read = features.text.means()[rows] if name == "masked" else text_features(
            features.encoder, features.tokenizer, notes, lambda steps, total: context.progress(steps, total, "audit")).means()
        audit["notes"][name] = {"words": probe_notes(notes, *given), "embedding": probe_numbers(read, *given)}
    lengths = np.log1p([[len(note)] for note in versions["masked"]])
    counts = np.array([[len(scans.masked[row].masked)] for row in rows], float)
    audit["length"] = probe_numbers(lengths, *given)
    audit["masked_count"] = probe_numbers(np.log1p(counts), *given)
    audit["masked_share"] = label_shares(counts[:, 0] > 0, plan.labels)
    audit["presence"] = _presence(context, settings, scans)
    context.save_json("note_audit", audit)
    return audit


def _presence(context: Context, settings: FusionSettings, scans: NotedScans) -> dict:
    """Whether having a note tells the class, among all X-rays of the run."""
    labels, patients, has_note = scans.index.labels, scans.index.patients, scans.has_note()
    folds = plan_folds(labels, patients, settings.folds, 1, context.seed).folds[0]
    probed = probe_numbers(has_note[:, None].astype(float), labels, patients, folds, settings.resamples, context.seed)
    return {**probed, "share": label_shares(has_note, labels), "rows": len(labels)}
