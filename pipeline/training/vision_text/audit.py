"""What the notes give away, probed on the folds of the first repeat: words, length, presence, what was masked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.data.notes.clinical_notes import NoteMasker
from pipeline.data.notes.note_tokens import NoteTokenizer
from pipeline.data.scan_index import ModalityIndex
from pipeline.engine.context import Context
from pipeline.models.stored_models import load_model
from pipeline.training.vision_text.audit_settings import AuditSettings
from pipeline.training.vision_text.folds import plan_folds
from pipeline.training.vision_text.reports.note_audit import label_shares, probe_notes, probe_numbers
from pipeline.training.vision_text.rows import read_notes, xray_index
from pipeline.training.vision_text.text_features import text_features


@dataclass(frozen=True)
class AuditedNotes:
    """The X-rays of a run with their notes, as s09 read and masked them.

    notes: N texts as written; masked: N as the arms read them; masked_count ``(N,)`` int64 words taken out of each;
    compared: int64 rows of the comparison, ``folds`` its first repeat; settings: s09's configuration.
    """

    index: ModalityIndex
    notes: np.ndarray
    masked: np.ndarray
    masked_count: np.ndarray
    compared: np.ndarray
    folds: np.ndarray
    settings: dict

    @classmethod
    def of(cls, context: Context) -> AuditedNotes:
        settings = context.load_json("fusion_recipe")["settings"]
        index = xray_index(context)
        table = context.load_csv("masked_notes", text=("id", "text")).set_index("id").loc[index.ids]
        return cls(
            index, read_notes(context, index, settings["note_column"]), table["text"].to_numpy(object),
            table["masked_count"].to_numpy(np.int64), np.flatnonzero(table["compared"].to_numpy(bool)),
            np.asarray(context.load("fusion_folds"))[0], settings,
        )  # fmt: skip


def audit_notes(context: Context, settings: AuditSettings) -> dict:
    """Probes of the compared notes, of three severities of masking, and of the presence of a note among all scans.

    Keys: notes → {"unmasked", "masked", "strict"}, each {"words": {"auc", "top_words"}, "embedding": {"auc"}}; length,
    masked_count → {"auc"}; presence → {"auc", "share", "rows"}; masked_share → share of each class with a masked word.
    """
    audited = AuditedNotes.of(context)
    rows = audited.compared
    labels, patients = audited.index.labels[rows], audited.index.patients[rows]
    given = (labels, patients, audited.folds, settings.resamples, context.seed)
    written, masked = audited.notes[rows], audited.masked[rows]
    raw, strict = NoteMasker(()), NoteMasker((*audited.settings["mask_words"], *settings.context_words))
    versions = {
        "unmasked": [raw.mask(note).text for note in written],
        "masked": list(masked),
        "strict": [strict.mask(note).text for note in written],
    }
    embed = _embedder(context)
    counts = audited.masked_count[rows, None].astype(float)
    return {
        "notes": {
            name: {"words": probe_notes(notes, *given), "embedding": probe_numbers(embed(notes), *given)}
            for name, notes in versions.items()
        },
        "length": probe_numbers(np.log1p([[len(note)] for note in masked]), *given),
        "masked_count": probe_numbers(np.log1p(counts), *given),
        "masked_share": label_shares(counts[:, 0] > 0, labels),
        "presence": _presence(audited, settings, context.seed),
    }


def _embedder(context: Context):
    """N notes → ``(N, F)`` float32 mean pieces of the encoder as it was published: one fine-tuned on the run's labels would
    tell of them."""
    name = "published_encoder" if context.has("published_encoder_weights") else "text_encoder"
    network = load_model(context.input(f"{name}_weights"), context.input(f"{name}_architecture"))
    tokenizer = NoteTokenizer(context.input("tokenizer"), context.load_json("fusion_recipe")["window"])
    return lambda notes: text_features(
        network, tokenizer, notes, lambda steps, total: context.progress(steps, total, "audit")
    ).means()


def _presence(audited: AuditedNotes, settings: AuditSettings, seed: int) -> dict:
    """Whether having a note tells the class, among all X-rays of the run."""
    labels, patients = audited.index.labels, audited.index.patients
    has_note = np.array([bool(note) for note in audited.masked])
    folds = plan_folds(labels, patients, audited.settings["folds"], 1, seed).folds[0]
    probed = probe_numbers(has_note[:, None].astype(float), labels, patients, folds, settings.resamples, seed)
    return {**probed, "share": label_shares(has_note, labels), "rows": len(labels)}
