"""s02: a frozen backbone and a trained Dense 1280 turn every scan into task and shared embeddings."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.data.scans import MODALITIES
from pipeline.engine.arrays import ArrayWriter, open_array, read_layout
from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts
from pipeline.engine.errors import ConfigError, did_you_mean
from pipeline.engine.files import move
from pipeline.engine.settings import Settings
from pipeline.models.backbones.names import NO_FILE, feature_key, require_backbone
from pipeline.training.network_artifacts import save_network
from pipeline.training.settings import FitSettings, TailTuning

if TYPE_CHECKING:
    import keras

ROLES = ("task", "shared")


class Embedder(Settings):
    """One embedder: which backbone on which of s01's profiles."""

    backbone: str = "EfficientNetLite0"
    """The image network, by its name in the registry of backbones."""
    profile: str
    """The profile of s01 that it reads."""
    weights: str = "imagenet"
    """`imagenet`, `none` (random) or the path of a weight file."""
    taps: tuple[str, ...] = ()
    """Inner layers of the backbone whose pooled maps join the last one's."""
    mirrored: bool = False
    """Take the mean of a scan's features and of its mirror image's."""
    fine_tune: TailTuning | None = None
    """Train the backbone's last blocks with the embedding layer; null: it stays frozen."""

    @property
    def key(self) -> str:
        after = self.fine_tune.after if self.fine_tune else None
        return feature_key(self.backbone, self.profile, self.weights, self.taps, self.mirrored, after)


class Embedders(Settings):
    """The four embedders, or the two of one modality."""

    xray_task: Embedder | None = None
    """What the X-rays' own features are made of; null, with the next, for CT slices alone."""
    xray_shared: Embedder | None = None
    """What the X-rays give to the shared features."""
    ct_task: Embedder | None = None
    """What the CT slices' own features are made of; null, with the next, for X-rays alone."""
    ct_shared: Embedder | None = None
    """What the CT slices give to the shared features."""

    @model_validator(mode="after")
    def _both_of_a_modality(self) -> Self:
        for modality in MODALITIES:
            given = [role for role in ROLES if getattr(self, f"{modality}_{role}") is not None]
            if len(given) == 1:
                lacking = next(role for role in ROLES if role not in given)
                raise ValueError(f"{modality}_{given[0]} stands without {modality}_{lacking}: give both, or none of a modality")
        if not self.each():
            raise ValueError("name those of one modality at least: xray_task and xray_shared, or ct_task and ct_shared")
        return self

    def each(self) -> dict[tuple[str, str], Embedder]:
        named = {(m, r): getattr(self, f"{m}_{r}") for m in MODALITIES for r in ROLES}
        return {key: embedder for key, embedder in named.items() if embedder is not None}


class Config(StageConfig):
    """The embedders and how their trained layer is fitted."""

    embedders: Embedders
    """Which backbone reads which profile, for either modality's own and shared features."""
    fit: FitSettings = FitSettings()
    """The training of each embedding layer on frozen backbone features."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout rate on the standardised backbone features while training."""
    stored_precision: Literal["float16", "float32"] = "float16"
    """Kernels are rounded to it before anything is computed from them."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that are embedded."""
        return tuple(dict.fromkeys(modality for modality, _ in self.embedders.each()))

    def check_with(self, others: Mapping[str, StageConfig]) -> None:
        profiles = getattr(others.get("s01"), "profiles", None)
        for (modality, role), embedder in self.embedders.each().items():
            where = f"s02.embedders.{modality}_{role}"
            if embedder.fine_tune and embedder.mirrored:
                raise ConfigError(f"{where}: mirrored features cannot be fine-tuned.", "Take out one of the two.")
            profile = (profiles or {}).get(embedder.profile)
            if profiles is not None and profile is None:
                raise ConfigError(f"{where}: s01 has no profile {embedder.profile!r}.{did_you_mean(embedder.profile, profiles)}")
            if profile is not None and profile.modality != modality:
                raise ConfigError(f"{where}: profile {embedder.profile!r} is of {profile.modality}.")
            require_backbone(embedder.backbone, embedder.weights, profile and profile.size, f"{where}: ")


def _inputs(config: Config) -> tuple[Input, ...]:
    names = dict.fromkeys(embedder.profile for embedder in config.embedders.each().values())
    return (Input("scan_index"), Input("dataset"), *(Input(f"pixels_{name}") for name in names))


def _outputs(config: Config) -> tuple[Artifact, ...]:
    outputs: list[Artifact] = []
    for modality, role in config.embedders.each():
        name, rows = f"{modality}_{role}", f"N_{modality}"
        outputs += [
            Artifact(f"backbone_features_{name}", f"backbone_features_{name}.npy", (rows, f"F_{name}"), "float32",
                     "activation", f"what the frozen layers behind the {name} embedder give: pooled, or maps to fine-tune from"),
            Artifact(f"embedding_{name}", f"embedding_{name}.npy", (rows, 1280), "float32", "activation",
                     f"what enters the last Dense of the {name} embedder"),
            *model_artifacts(f"embedder_{name}", f"{name} embedder on backbone features"),
        ]  # fmt: skip
    for (modality, role), embedder in config.embedders.each().items():
        if embedder.fine_tune:
            outputs += model_artifacts(f"tail_{modality}_{role}", "last blocks of the backbone before they are fine-tuned")
    for key in dict.fromkeys(embedder.key for embedder in config.embedders.each().values()):
        outputs += model_artifacts(f"backbone_{key}", "frozen backbone with its input scaling")
    return (
        *outputs,
        Artifact("embedder_recipe", "embedder_recipe.json", meaning="backbones, profiles and fit settings, for s06 and export"),
        Artifact("embedder_history", "embedder_history.json", meaning="losses and validation scores an epoch"),
    )


def _external(config: Config, data: Path | None) -> Iterable[Path]:
    files = {e.weights for e in config.embedders.each().values()} - set(NO_FILE)
    return [Path(name) for name in sorted(files)]


def run(context: Context) -> None:
    """Compute each distinct backbone's features once, then train the embedders on the training rows."""
    from pipeline.training.determinism import make_deterministic
    from pipeline.training.multitask.recipes import EmbedderRecipe, Tail, Workshop, feature_blocks, train_embedder
    from pipeline.training.multitask.scan_labels import read_scan_labels

    config: Config = context.config
    make_deterministic(context.seed)
    labelled = read_scan_labels(context)  # before minutes of work: classes that do not fit each other are refused
    files, tails = _write_backbone_features(context)
    recipe = EmbedderRecipe(fit=config.fit, dropout=config.dropout, precision=config.stored_precision)
    workshop = Workshop(context.seed, config.stored_precision, context.scratch)
    histories = {}
    for (modality, role), embedder in config.embedders.each().items():
        name = f"{modality}_{role}"
        features = open_array(files[embedder.key])
        tail = None if embedder.fine_tune is None else Tail(tails[name], embedder.fine_tune.fit, features)
        model, histories[name] = train_embedder(f"embedder_{name}", features, labelled[modality], recipe, workshop, tail)
        with context.writer(f"embedding_{name}", model.get_layer("features").output.shape[1:]) as writer:
            for block in feature_blocks(model, features):
                writer.append(block)
        save_network(context, f"embedder_{name}", model)
        context.log(f"embedder {name}: best validation AUC {max(histories[name]['val_auc']):.3f}")
    context.save_json("embedder_history", histories)
    context.save_json("embedder_recipe", {
        "recipe": recipe.model_dump(mode="json"),
        "embedders": {f"{m}_{r}": {**e.model_dump(mode="json"), "key": e.key} for (m, r), e in config.embedders.each().items()},
    })  # fmt: skip


def _write_backbone_features(context: Context) -> tuple[dict[str, Path], dict[str, keras.Model]]:
    """Frozen features by backbone key, and tails by embedder; a killed run finds finished features in its scratch folder."""
    distinct = {embedder.key: embedder for embedder in context.config.embedders.each().values()}
    # All are built before any is run: a misspelt layer is told before minutes of work.
    backbones, tails = {}, {}
    for key, embedder in distinct.items():
        backbones[key], tails[key] = _build(context, embedder)
    files = {key: _features_once(context, distinct[key], backbone) for key, backbone in backbones.items()}
    for (modality, role), embedder in context.config.embedders.each().items():
        shutil.copyfile(files[embedder.key], context.output(f"backbone_features_{modality}_{role}"))
    fine_tuned = {f"{m}_{r}": tails[e.key] for (m, r), e in context.config.embedders.each().items() if e.fine_tune}
    for name, tail in fine_tuned.items():
        save_network(context, f"tail_{name}", tail)
    return files, fine_tuned


def _build(context: Context, embedder: Embedder) -> tuple[keras.Model, keras.Model | None]:
    """What is run over the scans once, and the tail that is fine-tuned from there, if any."""
    import keras

    from pipeline.models.backbones.construction import build_backbone
    from pipeline.models.backbones.split_backbone import split_backbone
    from pipeline.models.stored_precision import round_kernels

    keras.utils.set_random_seed(context.seed)
    size = read_layout(context.input(f"pixels_{embedder.profile}")).shape[1]
    if embedder.fine_tune is None:
        backbone, tail = build_backbone(embedder.backbone, size, embedder.weights, embedder.taps, embedder.mirrored), None
    else:
        halves = split_backbone(embedder.backbone, size, embedder.weights, embedder.taps, embedder.fine_tune.after)
        backbone, tail = halves.front, halves.tail
        round_kernels(tail, context.config.stored_precision)
    round_kernels(backbone, context.config.stored_precision)
    save_network(context, f"backbone_{embedder.key}", backbone)
    return backbone, tail


def _features_once(context: Context, embedder: Embedder, backbone: keras.Model) -> Path:
    from pipeline.training.frozen_features import frozen_features

    pixels = context.input(f"pixels_{embedder.profile}")
    finished = context.scratch / f"features_{embedder.key}.npy"
    if not finished.exists():
        unfinished = finished.with_suffix(".part")
        label = f"{embedder.backbone} on {embedder.profile}"
        with ArrayWriter(unfinished, backbone.output_shape[1:], "float32") as writer:
            for block in frozen_features(backbone, pixels, lambda steps, total: context.progress(steps, total, label)):
                writer.append(block)
        move(unfinished, finished)
    return finished


STAGE = Stage("s02_embeddings", "frozen backbone features and the embeddings", Config, _inputs, _outputs, run, _external)
