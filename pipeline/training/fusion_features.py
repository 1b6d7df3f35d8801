"""Both halves of every row as frozen features, and the trainers that read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from pipeline.data.note_tokens import NoteTokenizer
from pipeline.engine.context import Context
from pipeline.models.fusion import FusionShape
from pipeline.models.text_encoders import TextEncoder
from pipeline.training.fusion_fit import ArmTrainer, FusionRows
from pipeline.training.fusion_rows import NotedScans, note_table, tell_about_notes
from pipeline.training.fusion_settings import FusionSettings
from pipeline.training.network_artifacts import save_network
from pipeline.training.patch_features import build_patch_network, patch_features, profile_size
from pipeline.training.text_features import TextFeatures, load_encoder, text_features


@dataclass(frozen=True)
class FusionFeatures:
    """patches ``(N, P, C)`` and text of all X-rays of the run, with the encoder that read them."""

    patches: np.ndarray
    text: TextFeatures
    labels: np.ndarray
    encoder: TextEncoder
    tokenizer: NoteTokenizer

    def rows(self, chosen: np.ndarray) -> FusionRows:
        """The chosen rows as arms read them; every scan of a run has its image."""
        present = np.ones(len(chosen), np.float32)
        return FusionRows(self.patches[chosen], present, self.text.tokens[chosen], self.text.mask[chosen], self.labels[chosen])

    def shape(self, settings: FusionSettings) -> FusionShape:
        """Sizes of the arms' networks."""
        fit = settings.fit
        return FusionShape(self.patches.shape[2], self.encoder.width, fit.width, fit.heads, fit.dropout, fit.input_dropout)

    def trainers(self, settings: FusionSettings, arms: Sequence[str], chosen: np.ndarray) -> list[ArmTrainer]:
        """A trainer for each arm on the chosen rows."""
        rows, shape = self.rows(chosen), self.shape(settings)
        return [ArmTrainer(arm, shape, settings.fit, rows, settings.stored_precision) for arm in arms]


def compute_features(context: Context, settings: FusionSettings, scans: NotedScans) -> FusionFeatures:
    """Build backbone and encoder, store them, and compute every row's features once."""
    keras.utils.set_random_seed(context.seed)
    encoder, tokenizer = load_encoder(settings.encoder)
    size = profile_size(context, settings.profile)
    network = build_patch_network(settings.backbone, size, settings.weights, settings.stored_precision)
    save_network(context, "patch_backbone", network)
    save_network(context, "text_encoder", encoder.network)
    tokenizer.save(context.output("tokenizer"))
    patches = patch_features(context, network, settings.profile)
    text = text_features(encoder, tokenizer, scans.texts, lambda rows, total: context.progress(rows, total, "notes"))
    tell_about_notes(context, scans, text.pieces)
    context.save_csv("masked_notes", note_table(scans, text.pieces))
    return FusionFeatures(patches, text, scans.index.labels, encoder, tokenizer)
