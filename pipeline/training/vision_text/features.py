"""Both halves of every row as frozen features, and the trainers that read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from pipeline.data.notes.note_tokens import NoteTokenizer
from pipeline.engine.context import Context
from pipeline.models.fusion import FusionShape
from pipeline.models.text_encoders import TextEncoder
from pipeline.training.network_artifacts import save_network
from pipeline.training.vision_text.arm_trainer import ArmTrainer, FusionRows
from pipeline.training.vision_text.patch_features import build_patch_network, patch_features, profile_size
from pipeline.training.vision_text.rows import NotedScans, note_table, tell_about_notes
from pipeline.training.vision_text.settings import FusionSettings
from pipeline.training.vision_text.text_features import TextFeatures, load_encoder, text_features
from pipeline.training.vision_text.text_finetune import EncoderTuner

Retune = Callable[[int, np.ndarray, np.ndarray], FusionRows]


@dataclass(frozen=True)
class FusionFeatures:
    """patches ``(N, P, C)`` and text of all X-rays of the run, with the encoder that read them."""

    patches: np.ndarray
    text: TextFeatures
    labels: np.ndarray
    encoder: TextEncoder
    tokenizer: NoteTokenizer

    def rows(self, chosen: np.ndarray, tokens: np.ndarray | None = None) -> FusionRows:
        """The chosen rows as arms read them, ``tokens`` in place of the published encoder's; every scan has its image."""
        present = np.ones(len(chosen), np.float32)
        read = self.text.tokens[chosen] if tokens is None else tokens
        return FusionRows(self.patches[chosen], present, read, self.text.mask[chosen], self.labels[chosen])

    def retuning(self, settings: FusionSettings, chosen: np.ndarray, notes: Sequence[str]) -> Retune | None:
        """(seed, rows to fit, rows to stop by) → the chosen rows read by an encoder fine-tuned on them; None: frozen.

        Row numbers are places in ``chosen``.
        """
        if not settings.encoder.finetune_layers:
            return None
        texts = [notes[row] for row in chosen]
        width = self.text.tokens.shape[1]
        pieces = self.tokenizer.encode(texts, width)
        tuner = EncoderTuner(self.encoder, pieces, self.labels[chosen], settings.encoder)

        def retune(seed: int, fit: np.ndarray, valid: np.ndarray) -> FusionRows:
            tuner.fit(seed, fit, valid)
            return self.rows(chosen, text_features(self.encoder.network, self.tokenizer, texts, length=width).tokens)

        return retune

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
    if settings.encoder.finetune_layers:
        save_network(context, "published_encoder", encoder.network)
    tokenizer.save(context.output("tokenizer"))
    patches = patch_features(context, network, settings.profile)
    text = text_features(encoder.network, tokenizer, scans.texts, lambda rows, total: context.progress(rows, total, "notes"))
    tell_about_notes(context, scans, text.pieces)
    context.save_csv("masked_notes", note_table(scans, text.pieces))
    return FusionFeatures(patches, text, scans.index.labels, encoder, tokenizer)
