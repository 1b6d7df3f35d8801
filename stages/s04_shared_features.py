"""s04: features shared by both modalities, learnt without and with hiding from them which modality a scan is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts
from pipeline.engine.errors import ConfigError
from pipeline.evaluation.comparison.variants import ADVERSARIAL_VARIANTS, MEANINGS, PLAIN, generator_name
from pipeline.training.multitask.stage_modalities import TITLES, OfModalities
from pipeline.training.network_artifacts import save_network
from pipeline.training.settings import OF_INVERTED, AdversarialSettings, FitSettings

if TYPE_CHECKING:
    from pipeline.training.multitask.adversarial.modality_probes import ProbedRows

Variant = Literal["plain", "adversarial", "erased", "inverted", "original"]


class Config(OfModalities):
    """Which variants are trained, and how."""

    variants: tuple[Variant, ...] = ("plain", "adversarial", "erased")
    """The arms that later stages compare, in this order; each once. Of one modality there is plain alone."""
    fit: FitSettings = FitSettings()
    """How the plain extractor learns the diagnosis."""
    adversarial: AdversarialSettings = AdversarialSettings()
    """How the adversarial variant's generator learns to hide the modality."""
    inverted: AdversarialSettings = AdversarialSettings(objective="inverted")
    """The same of the variant inverted."""
    original: AdversarialSettings = AdversarialSettings(objective="original")
    """The same of the variant original."""
    finetune: FitSettings = FitSettings()
    """How the extractor behind a frozen generator learns the diagnosis."""
    stored_precision: Literal["float16", "float32"] = "float16"
    """The precision to which every kernel is rounded once it is trained."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if not self.variants or len(set(self.variants)) < len(self.variants):
            raise ValueError("variants: name each once, and at least one")
        return self

    @model_validator(mode="after")
    def _former_sound(self) -> Self:
        # By value, not by what was written: a run's record writes every default.
        given = [name for name in OF_INVERTED if getattr(self.adversarial, name) != getattr(AdversarialSettings(), name)]
        if self.adversarial.objective == "sound" and given:
            raise ValueError(
                f"adversarial.{min(given)} is of objective 'inverted', which was called 'sound' before; "
                "write objective: inverted, or leave it out for today's 'sound'"
            )
        return self


    def following(self, others: Mapping[str, StageConfig]) -> Self:
        settled = super().following(others)
        hiding = [variant for variant in self.variants if variant != PLAIN]
        if len(settled.modalities) > 1 or not hiding:
            return settled
        if "variants" in self.model_fields_set:
            raise ConfigError(
                f"s04.variants: {hiding[0]} hides the modality, and the run has {TITLES[settled.modalities[0]]} alone.",
                "There is nothing to hide: s04.variants: [plain]",
            )
        return settled.model_copy(update={"variants": (PLAIN,)})


def _inputs(config: Config) -> tuple[Input, ...]:
    return (Input("scan_index"), Input("dataset"), *(Input(f"embedding_{m}_shared") for m in config.modalities))


def _outputs(config: Config) -> tuple[Artifact, ...]:
    outputs: list[Artifact] = []
    for variant in config.variants:
        outputs += [
            Artifact(f"shared_features_{variant}_{m}", f"shared_features_{variant}_{m}.npy", (f"N_{m}", 640), "float32",
                     "activation", f"what enters the last Dense of the {variant} shared extractor")
            for m in config.modalities
        ]  # fmt: skip
        outputs += model_artifacts(f"shared_{variant}", f"shared extractor, {MEANINGS[variant]}")
        if variant in ADVERSARIAL_VARIANTS:
            outputs += model_artifacts(generator_name(variant), f"generator of the {variant} variant, which hides the modality")
            outputs.append(Artifact(f"{variant}_curves", f"{variant}_curves.png", meaning="losses, and what tells the modality"))
    return (
        *outputs,
        Artifact("alignment", "alignment.json",
                 meaning="three fresh probes of the modality on raw and shared features; {} of one modality"),
        Artifact("feature_map", "feature_map.png", meaning="principal components of the features by modality and class"),
        Artifact("shared_recipe", "shared_recipe.json", meaning="variants, fit settings and kept epochs, for s06"),
        Artifact("shared_history", "shared_history.json", meaning="losses and scores an epoch, of every network"),
    )


def run(context: Context) -> None:
    """Train each variant, keep its features, and ask fresh probes whether the modality still shows."""
    from pipeline.evaluation.comparison.alignment_words import alignment_sentence
    from pipeline.models.respiratory_networks import FEATURES
    from pipeline.training.determinism import make_deterministic
    from pipeline.training.multitask.adversarial.modality_probes import probe_modality
    from pipeline.training.multitask.adversarial.probed_features import fresh_probes, probed_rows, stacked
    from pipeline.training.multitask.adversarial.shared_extractors import SharedExtractors
    from pipeline.training.multitask.recipes import SharedRecipe, Workshop, features_from
    from pipeline.training.multitask.scan_labels import labelled, read_indexes

    config: Config = context.config
    make_deterministic(context.seed)
    sections = {name: getattr(config, name) for name in ("fit", "adversarial", "inverted", "original", "finetune")}
    recipe = SharedRecipe(**sections, precision=config.stored_precision)
    workshop = Workshop(context.seed, recipe.precision, context.scratch)
    indexes = read_indexes(context)
    scans, rows = {modality: labelled(index) for modality, index in indexes.items()}, probed_rows(indexes)
    embeddings = {modality: context.load(f"embedding_{modality}_shared") for modality in config.modalities}
    hidden = len(indexes) > 1
    if not hidden:
        context.warn(f"The run has {TITLES[config.modalities[0]]} alone: nothing is hidden, and plain is the only variant.")
    if "erased" in config.variants and len(rows.fit) <= FEATURES:
        context.warn(f"erased: {len(rows.fit)} training scans for {FEATURES} features; what is erased is of those scans alone.")
    extractors = SharedExtractors(embeddings, scans, recipe, workshop, fresh_probes(rows, context.seed))
    features, histories = {"raw": stacked(embeddings)}, {}
    probes = {"raw": probe_modality(features["raw"], rows, context.seed)} if hidden else {}
    for variant in config.variants:
        trained = extractors.train(variant)
        histories |= trained.histories
        shared = {modality: features_from(trained.extractor, embeddings[modality]) for modality in config.modalities}
        for modality, values in shared.items():
            context.save(f"shared_features_{variant}_{modality}", values)
        for name, model in trained.parts.items():
            save_network(context, name, model)
        features[variant] = stacked(shared)
        if hidden:
            probes[variant] = probe_modality(features[variant], rows, context.seed)
            context.log(f"{variant}: {alignment_sentence(probes, variant)}")
    _save_figures(context, features, rows, histories)
    context.save_json("alignment", probes)
    context.save_json("shared_history", histories)
    kept = {v: histories[generator_name(v)]["best_epoch"] for v in config.variants
            if v in ADVERSARIAL_VARIANTS and getattr(config, v).objective == "sound"}  # fmt: skip
    stored = recipe.model_copy(update={"kept_epochs": kept}).model_dump(mode="json")
    context.save_json("shared_recipe", {"variants": config.variants, "recipe": stored})


def _save_figures(context: Context, features: dict, rows: ProbedRows, histories: dict) -> None:
    from pipeline.data.run_classes import RunClasses
    from pipeline.training.figures.alignment import feature_map, readings_figure
    from pipeline.training.figures.training_curves import adversarial_figure

    classes = RunClasses.of(context.load_json("dataset"))
    context.save_figure("feature_map", feature_map(features, rows, classes))
    for variant in (v for v in context.config.variants if v in ADVERSARIAL_VARIANTS):
        settings, history = getattr(context.config, variant), histories[generator_name(variant)]
        if settings.objective == "sound":
            figure = readings_figure(history, settings.floor_tolerance)
        else:
            columns = {name: history[name] for name in ("generator_loss", "discriminator_loss", "discriminator_accuracy")}
            figure = adversarial_figure(columns, history["majority_rate"][-1], settings.tolerance, "Epoch")
        context.save_figure(f"{variant}_curves", figure)


STAGE = Stage(
    "s04_shared_features", "shared features of every variant, and whether the modality shows", Config, _inputs, _outputs, run
)
