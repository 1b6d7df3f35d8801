"""s04: features shared by both modalities, learnt without and with adversarial training."""

from __future__ import annotations

from typing import Literal

from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts
from pipeline.training.network_artifacts import save_network
from pipeline.training.settings import AdversarialSettings, FitSettings

MODALITIES = ("xray", "ct")


class Config(StageConfig):
    """Which variants are trained and how; ``adversarial.objective`` is ``sound`` or ``original``."""

    variant: Literal["plain", "adversarial", "both"] = "both"
    fit: FitSettings = FitSettings()
    adversarial: AdversarialSettings = AdversarialSettings()
    finetune: FitSettings = FitSettings()
    stored_precision: Literal["float16", "float32"] = "float16"

    @property
    def variants(self) -> tuple[str, ...]:
        return ("plain", "adversarial") if self.variant == "both" else (self.variant,)


def _inputs(config: Config) -> tuple[Input, ...]:
    return (Input("scan_index"), Input("dataset"), *(Input(f"embedding_{m}_shared") for m in MODALITIES))


def _outputs(config: Config) -> tuple[Artifact, ...]:
    outputs: list[Artifact] = []
    for variant in config.variants:
        outputs += [
            Artifact(f"shared_features_{variant}_{m}", f"shared_features_{variant}_{m}.npy", (f"N_{m}", 640), "float32",
                     "activation", f"what enters the last Dense of the {variant} shared extractor")
            for m in MODALITIES
        ]  # fmt: skip
        outputs += model_artifacts(f"shared_{variant}", f"shared extractor, {variant}")
    if "adversarial" in config.variants:
        outputs += model_artifacts("generator", "generator that hides the modality")
        outputs.append(
            Artifact("adversarial_curves", "adversarial_curves.png", meaning="both losses and the discriminator's accuracy")
        )
    return (
        *outputs,
        Artifact("alignment", "alignment.json", meaning="a fresh linear probe of the modality on raw and shared features"),
        Artifact("shared_recipe", "shared_recipe.json", meaning="variants and fit settings, for s06"),
        Artifact("shared_history", "shared_history.json", meaning="losses and scores an epoch, of every network"),
    )


def run(context: Context) -> None:
    """Train each variant, keep its features, and ask a linear probe whether the modality still shows."""
    from pipeline.training.determinism import make_deterministic
    from pipeline.training.multitask.modality_alignment import probe_modality
    from pipeline.training.multitask.recipes import SharedRecipe, Workshop, features_from, train_shared
    from pipeline.training.multitask.scan_labels import labelled, read_indexes

    config: Config = context.config
    make_deterministic(context.seed)
    recipe = SharedRecipe(
        fit=config.fit, adversarial=config.adversarial, finetune=config.finetune, precision=config.stored_precision
    )
    workshop = Workshop(context.seed, recipe.precision, context.scratch)
    indexes = read_indexes(context)
    scans = {modality: labelled(index) for modality, index in indexes.items()}
    embeddings = {modality: context.load(f"embedding_{modality}_shared") for modality in MODALITIES}
    probes, histories = {"raw": probe_modality(embeddings, indexes, context.seed)}, {}
    for variant in config.variants:
        trained = train_shared(variant, embeddings, scans, recipe, workshop)
        histories |= trained.histories
        shared = {modality: features_from(trained.extractor, embeddings[modality]) for modality in MODALITIES}
        for modality, features in shared.items():
            context.save(f"shared_features_{variant}_{modality}", features)
        for name, model in trained.parts.items():
            save_network(context, name, model)
        probes[variant] = probe_modality(shared, indexes, context.seed)
        told = probes[variant]["balanced_accuracy"]["value"]
        context.log(f"{variant}: a linear probe tells the modality with balanced accuracy {told:.3f}")
    if "adversarial" in config.variants:
        _draw_curves(context, histories["adversaries"])
    context.save_json("alignment", probes)
    context.save_json("shared_history", histories)
    context.save_json("shared_recipe", {"variants": config.variants, "recipe": recipe.model_dump(mode="json")})


def _draw_curves(context: Context, history: dict) -> None:
    from pipeline.training.figures.training_curves import adversarial_figure

    columns = {name: history[name] for name in ("generator_loss", "discriminator_loss", "discriminator_accuracy")}
    majority, tolerance = history["majority_rate"][-1], context.config.adversarial.tolerance
    context.save_figure("adversarial_curves", adversarial_figure(columns, majority, tolerance, "Epoch"))


STAGE = Stage(
    "s04_shared_features", "shared features, plain and adversarial, and whether they align", Config, _inputs, _outputs, run
)
