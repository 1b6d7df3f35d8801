"""How vision and text are put together and compared: read from the configuration, importable without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from pipeline.data.notes.clinical_notes import DEFAULT_WORDS, NoteMasker
from pipeline.engine.config import StageConfig
from pipeline.models.backbones.names import NO_FILE
from pipeline.models.fusion_names import COMPARED, CONTROLS, FUSIONS
from pipeline.training.settings import Settings

Fusion = Literal["concatenation", "cross_attention", "gated"]


def _maskable(words: tuple[str, ...]) -> tuple[str, ...]:
    NoteMasker(words)
    return words


MaskableWords = Annotated[tuple[str, ...], AfterValidator(_maskable)]


class EncoderSettings(Settings):
    """Which text encoder reads the notes.

    ``source`` is ``minilm``, ``biobert``, a BERT's folder or a hub address; ``window`` the most pieces of a note
    (None: the encoder's own). ``precision`` rounds its kernels before any feature is computed, to what a bundle stores.
    ``finetune_layers`` of its last layers learn anew on every fold, as a classifier of the notes, before the arms are
    trained on what it then gives; 0 leaves it frozen.
    """

    source: str = "minilm"
    window: Annotated[int, Field(ge=3, le=4096)] | None = None
    precision: Literal["int8", "float32"] = "int8"
    finetune_layers: Annotated[int, Field(ge=0, le=48)] = 0
    finetune_epochs: Annotated[int, Field(ge=1, le=100)] = 3
    finetune_learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-5


class FusionFit(Settings):
    """One arm's network and its training: AdamW, balanced class weights, early stopping on validation loss.

    ``drop_image`` and ``drop_note`` are the shares of training rows that lose one half in an epoch, never both.
    """

    width: Annotated[int, Field(ge=8, le=1024)] = 64
    heads: Annotated[int, Field(ge=1, le=16)] = 4
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    input_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    drop_image: Annotated[float, Field(ge=0, lt=0.5)] = 0.15
    drop_note: Annotated[float, Field(ge=0, lt=0.5)] = 0.15
    epochs: Annotated[int, Field(ge=1, le=1000)] = 40
    patience: Annotated[int, Field(ge=1)] = 6
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-4
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 1e-2


class FusionSettings(StageConfig):
    """Vision and text on the same rows, arm by arm.

    profile: s01's profile of X-rays. backbone, weights: the frozen image network. note_column: the column of
    ``scan_attributes.csv`` that holds the notes. mask_words: what is taken out of them. rows: ``with_note`` compares
    the arms on rows that have both halves; ``all`` also on rows without a note, of which the lack itself may tell the
    class. fusions: which are compared; both halves alone and their late average always are. folds by patient,
    ``repeats`` times with other folds and seeds; every arm gets the same.
    """

    profile: str
    backbone: str = "EfficientNetLite0"
    weights: str = "imagenet"
    note_column: str = "notes"
    rows: Literal["with_note", "all"] = "with_note"
    encoder: EncoderSettings = EncoderSettings()
    mask_words: MaskableWords = DEFAULT_WORDS
    fusions: Annotated[tuple[Fusion, ...], Field(min_length=1)] = FUSIONS
    fit: FusionFit = FusionFit()
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    repeats: Annotated[int, Field(ge=1, le=50)] = 5
    resamples: Annotated[int, Field(ge=100)] = 2000
    permutations: Annotated[int, Field(ge=100)] = 5000
    stored_precision: Literal["float16", "float32"] = "float16"

    def weight_files(self) -> tuple[str, ...]:
        """The user's files that decide the result: local weights and the files of a local encoder."""
        backbone = () if self.weights in NO_FILE else (self.weights,)
        folder = Path(self.encoder.source)
        files = sorted(str(path) for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
        return (*backbone, *files)

    def arms(self) -> tuple[str, ...]:
        """The arms that are trained, in the order in which they are reported."""
        return (*CONTROLS, *(arm for arm in COMPARED if arm in self.fusions))

    @field_validator("fusions")
    @classmethod
    def _each_once(cls, fusions: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(fusions)) != len(fusions):
            raise ValueError("a fusion is named twice")
        return fusions
