"""Search of a classifier head's settings by keras-tuner: validation chooses, the test part is never read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engine.errors import ConfigError
from pipeline.engine.extras import brought_by_extra

Score = Callable[[Mapping[str, Any]], float]


@dataclass(frozen=True)
class Span:
    """A number between two bounds, drawn evenly or, with ``log``, evenly in its logarithm."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[float | int | bool | str, ...]


Space = Mapping[str, Span | Choice]

HEAD_SPACE: Space = {
    "fit.learning_rate": Span(1e-5, 1e-2, log=True),
    "fit.weight_decay": Span(1e-6, 1e-1, log=True),
    "fit.mixup": Choice((0.0, 0.2, 0.4)),
    "head.feature_dropout": Span(0.0, 0.6),
    "head.dropout": Span(0.0, 0.6),
    "loss.focal_gamma": Choice((0.0, 1.0, 2.0)),
}


@dataclass(frozen=True)
class SearchResult:
    """trials: [{"values", "score"}] in their order; best: the first of the best; higher scores are better."""

    trials: list[dict[str, Any]]
    best: dict[str, Any]

    def overrides(self, section: str) -> list[str]:
        """The best values as `--set` words: `s08.fit.learning_rate=0.0003`."""
        return [f"{section}.{place}={value}" for place, value in self.best["values"].items()]


def search(score: Score, space: Space, trials: int, seed: int, folder: Path) -> SearchResult:
    """Try settings one after another, each where a Gaussian process on those before expects the most.

    Args:
        score: settings by place → what is to be large, taken from validation rows only.
        folder: where keras-tuner keeps its state; the same folder, space and seed go on after a kill.

    Raises:
        MissingPackageError: keras-tuner is not installed.
    """
    with brought_by_extra():
        import keras_tuner

    class Tuner(keras_tuner.BayesianOptimization):
        def run_trial(self, trial, **kwargs) -> float:
            return score(trial.hyperparameters.values)

    tuner = Tuner(
        objective=keras_tuner.Objective("default_objective", "max"), max_trials=trials, seed=seed,
        hyperparameters=_declared(keras_tuner, space), tune_new_entries=False, allow_new_entries=False,
        directory=str(folder), project_name="trials", overwrite=False,
    )  # fmt: skip
    tuner.search(verbose=0)
    done = sorted(tuner.oracle.trials.values(), key=lambda trial: int(trial.trial_id))
    table = [{"values": dict(trial.hyperparameters.values), "score": float(trial.score)} for trial in done]
    return SearchResult(table, max(table, key=lambda row: row["score"]))


def search_head(task, trials: int, folder: Path, space: Space = HEAD_SPACE) -> SearchResult:
    """Search the head's settings of a classifier on cached frozen features.

    Args:
        task: a ``ClassifierTask``; its features are computed once, each trial trains a head of its own, and the score is
            the kept epoch's monitor on the validation rows (the loss with its sign turned).

    Raises:
        ConfigError: a head that is solved rather than trained, which chooses its penalty itself.
    """
    from pipeline.models.classifier_networks import feature_extractor
    from pipeline.models.stored_precision import round_kernels
    from pipeline.training.classifier.features import feature_views
    from pipeline.training.classifier.head_on_features import HeadPlan, train_class_head
    from pipeline.training.classifier.minibatch_fit import FitPlan
    from pipeline.training.classifier.task import build_network
    from pipeline.training.trained_network import Workshop

    settings, workshop = task.settings, task.workshop
    if settings.head.solver != "gradient":
        raise ConfigError(f"solver {settings.head.solver} has nothing to search.", "Use solver: gradient, or no --search.")
    model = round_kernels(build_network(task, settings.weights), settings.stored_precision)
    views = feature_views(feature_extractor(model), task.pixels, task.index.rows, settings.views, settings.augmentation,
                          workshop.seed, workshop.folder, task.track)  # fmt: skip
    apart = Workshop(workshop.seed, workshop.precision)
    sign = -1.0 if settings.fit.monitor == "val_loss" else 1.0

    def score(values: Mapping[str, Any]) -> float:
        tried = with_values(settings, values)
        recipe = HeadPlan.of(tried.head, len(task.index.class_names))
        _, history = train_class_head("searched_head", views, task.rows, recipe, FitPlan(tried.fit, tried.loss), apart)
        return sign * history[settings.fit.monitor][history["best_epoch"]]

    return search(score, space, trials, workshop.seed, folder)


def task_of_run(run_dir: Path, settings, seed: int, folder: Path, track):
    """The ``ClassifierTask`` of a run whose s01 is done, as s08 makes it, working in ``folder``.

    settings: a ``ClassifierConfig``. seed: the run's. track: wraps long loops, for a progress bar.
    """
    import pandas as pd

    from pipeline.data.scan_index import TEXT_COLUMNS
    from pipeline.engine.rundir import RunDirectory
    from pipeline.engine.seeds import derive_seed
    from pipeline.training.classifier.task import ClassifierTask
    from pipeline.training.trained_network import Workshop

    run = RunDirectory(run_dir)
    pixels = run.artifact(f"pixels_{settings.profile}")
    table = pd.read_csv(run.artifact("scan_index"), dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False)
    folder.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(derive_seed(seed, "hyperparameter_search"), settings.stored_precision, folder)
    return ClassifierTask.of(pixels, table, run.load_json("dataset"), settings, workshop, track)


def with_values(settings, values: Mapping[str, Any]):
    """A copy of nested settings with values by dotted place, checked as a configuration is."""
    document = settings.model_dump()
    for place, value in values.items():
        *path, last = place.split(".")
        inner = document
        for name in path:
            inner = inner[name]
        inner[last] = value
    return type(settings).model_validate(document, strict=False)


def _declared(keras_tuner, space: Space):
    declared = keras_tuner.HyperParameters()
    for place, wanted in space.items():
        if isinstance(wanted, Choice):
            declared.Choice(place, list(wanted.values))
        else:
            declared.Float(place, wanted.low, wanted.high, sampling="log" if wanted.log else "linear")
    return declared
