"""How vision and text are put together and compared: read from the configuration, importable without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from pipeline.data.notes.clinical_notes import DEFAULT_WORDS, NoteMasker
from pipeline.engine.config import StageConfig
from pipeline.engine.settings import Settings
from pipeline.models.backbones.names import NO_FILE
from pipeline.models.fusion_names import COMPARED, CONTROLS, FUSIONS

Fusion = Literal["concatenation", "cross_attention", "gated"]


def _maskable(words: tuple[str, ...]) -> tuple[str, ...]:
    NoteMasker(words)
    return words


MaskableWords = Annotated[tuple[str, ...], AfterValidator(_maskable)]
# Trainings of each fusion whose mean validation AUC chooses the one that is stored.
CHOOSING_SEEDS = 3


class EncoderSettings(Settings):
    """Which text encoder reads the notes."""

    source: str = "minilm"
    """`minilm` (offline), `biobert`, `hf://OWNER/NAME` or a BERT's folder."""
    window: Annotated[int, Field(ge=3, le=4096)] | None = None
    """The most word pieces of a note; null: the encoder's own."""
    precision: Literal["int8", "float32"] = "int8"
    """Kernels are rounded to it before any feature is computed; the bundle stores the same."""
    finetune_layers: Annotated[int, Field(ge=0, le=48)] = 0
    """How many of its last layers learn anew on every fold, as a classifier of the notes, before the arms do; 0: frozen."""
    finetune_epochs: Annotated[int, Field(ge=1, le=100)] = 3
    """Passes over the training notes in that fine-tuning."""
    finetune_learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-5
    """AdamW's learning rate in that fine-tuning."""


class FusionFit(Settings):
    """One arm's network and its training: AdamW, balanced class weights, early stopping on validation loss."""

    width: Annotated[int, Field(ge=8, le=1024)] = 64
    """Width that patches and word pieces are brought to."""
    heads: Annotated[int, Field(ge=1, le=16)] = 4
    """Attention heads of `cross_attention`."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Dropout rate before the logit."""
    input_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Dropout rate on the patches and word pieces that enter."""
    drop_image: Annotated[float, Field(ge=0, lt=0.5)] = 0.15
    """Share of the training rows that lose their image in an epoch; never both halves."""
    drop_note: Annotated[float, Field(ge=0, lt=0.5)] = 0.15
    """Share of the training rows that lose their note in an epoch."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 40
    """The most passes over the training rows."""
    patience: Annotated[int, Field(ge=1)] = 6
    """Epochs without a lower validation loss after which the training ends."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32
    """Rows in a minibatch."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-4
    """AdamW's learning rate, the same throughout."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 1e-2
    """AdamW's decoupled weight decay."""


class FusionSettings(StageConfig):
    """Vision and text on the same rows, arm by arm."""

    profile: str
    """The profile of s01 whose X-rays are read."""
    backbone: str = "EfficientNetLite0"
    """The frozen image network, by its name in the registry of backbones."""
    weights: str = "imagenet"
    """`imagenet`, `none` (random) or the path of a weight file."""
    note_column: str = "notes"
    """The column of s01's scan_attributes.csv that holds the notes."""
    rows: Literal["with_note", "all"] = "with_note"
    """`with_note` compares the arms on rows that have both halves; `all` also on rows without a note, of which the lack itself
    may tell the class."""
    encoder: EncoderSettings = EncoderSettings()
    """The text network."""
    mask_words: MaskableWords = DEFAULT_WORDS
    """Words and phrases taken out of every note, in any case; `*` stands for the rest of a word."""
    fusions: Annotated[tuple[Fusion, ...], Field(min_length=1)] = FUSIONS
    """Which fusions are compared; both halves alone and their late average always are."""
    fit: FusionFit = FusionFit()
    """Every arm's network and training."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Folds by patient, the same for every arm."""
    repeats: Annotated[int, Field(ge=1, le=50)] = 5
    """How often the folds are dealt anew, with other seeds."""
    resamples: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap samples of the patients for each interval."""
    permutations: Annotated[int, Field(ge=100)] = 5000
    """Permutations of each test."""
    stored_precision: Literal["float16", "float32"] = "float16"
    """Kernels of the fusion networks are rounded to it before any figure is taken."""

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
