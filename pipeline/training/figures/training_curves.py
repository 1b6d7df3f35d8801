"""Training curves: the adversarial pair's losses and the discriminator's accuracy, and a head's losses."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.engine.errors import DataError
from pipeline.evaluation.figures.style import GRAY, LINES, PALETTE, new_figure, set_title
from pipeline.evaluation.metrics.names import metric_title

# A part of the scans looks the same in every panel, whichever of them the panel has.
PART_STYLES = {
    "training": {"color": PALETTE[0], "linestyle": LINES[0]}, "validation": {"color": PALETTE[1], "linestyle": LINES[1]},
}  # fmt: skip
# So few values are marked one by one.
MARKED = 6
EPOCH = "Epoch"


def adversarial_figure(
    history: Mapping[str, Sequence[float]],
    majority_rate: float | None = None,
    tolerance: float = 0.05,
    step_name: str = "Step",
) -> Figure:
    """Generator and discriminator losses (left), the discriminator's accuracy (right).

    history: column name -> one value for each logged step. Columns whose name holds "loss" go left, those
    with "accuracy" right; "step" or "epoch" is the abscissa where present. majority_rate: the accuracy of
    always saying the commoner modality; the band of ± tolerance around it is where training may stop.
    Raises DataError where no loss column is given or columns differ in length.
    """
    steps, curves = _curves(history)
    losses = {name: values for name, values in curves.items() if "loss" in name}
    accuracies = {name: values for name, values in curves.items() if "accuracy" in name}
    if not losses:
        raise DataError(
            f"No loss column among {', '.join(history)}.", "Log generator and discriminator losses."
        )
    figure, axes = new_figure(1, 2 if accuracies else 1, 4.8, 3.6)
    _draw(axes[0], steps, losses)
    axes[0].set(xlabel=step_name, ylabel="Loss (nats)", title="Losses")
    if accuracies:
        if majority_rate is not None:
            edges = majority_rate - tolerance, majority_rate + tolerance
            axes[1].axhspan(
                *edges, color=GRAY, alpha=0.18, linewidth=0, label=f"majority rate ± {tolerance:g}"
            )
            axes[1].axhline(majority_rate, color=GRAY, linewidth=0.8)
        _draw(axes[1], steps, accuracies)
        axes[1].set(xlabel=step_name, ylabel="Accuracy", title="Discriminator", ylim=(0, 1.02))
    return figure


def fit_figure(
    history: Mapping[str, Sequence[float]], title: str = "", best: int | None = None, step_name: str = EPOCH
) -> Figure:
    """Loss and metrics of an ordinary fit: a panel for each quantity, training and validation together.

    history: as Keras keeps it, e.g. loss, val_loss, accuracy, val_accuracy; best: index of the epoch whose
    weights were kept, marked by a line. step_name: of the abscissa. Raises DataError for an empty history.
    """
    steps, curves = _curves(history)
    kinds = list(dict.fromkeys(name.removeprefix("val_") for name in curves))
    if not kinds:
        raise DataError("The training history is empty.", "Train for at least one epoch.")
    figure, axes = new_figure(1, len(kinds), 4.2, 3.4)
    for axis, kind in zip(axes, kinds, strict=True):
        named = {"training": kind, "validation": f"val_{kind}"}
        _draw(axis, steps, {name: curves[column] for name, column in named.items() if column in curves})
        if best is not None:
            axis.axvline(steps[best], color=GRAY, linewidth=0.8, linestyle=":", label="kept")
            axis.legend(fontsize=8, framealpha=0.9)
        axis.set(xlabel=step_name, ylabel=metric_title(kind))
        if step_name == EPOCH:
            axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if all(value <= 1 for column in named.values() for value in curves.get(column, ())):
            # no axis of shares beyond what they can be
            axis.set_ylim(top=min(axis.get_ylim()[1], 1.02))
    set_title(figure, title)
    return figure


def _curves(history: Mapping[str, Sequence[float]]) -> tuple[list[float], dict[str, Sequence[float]]]:
    lengths = {len(values) for values in history.values()}
    if len(lengths) > 1:
        raise DataError(
            "The columns of the training history differ in length.", "Log all of them at each step."
        )
    curves = {name: values for name, values in history.items() if name not in ("step", "epoch")}
    steps = history.get("step", history.get("epoch"))
    count = lengths.pop() if lengths else 0
    return list(steps) if steps is not None else list(range(1, count + 1)), curves


def _draw(axis, steps: Sequence[float], curves: Mapping[str, Sequence[float]]) -> None:
    marker = "o" if len(steps) <= MARKED else None
    for place, (name, values) in enumerate(curves.items()):
        style = PART_STYLES.get(name, {"color": PALETTE[place % len(PALETTE)], "linestyle": LINES[place % len(LINES)]})
        axis.plot(steps, values, marker=marker, label=name.replace("_", " "), linewidth=1.4, **style)
    axis.legend(fontsize=8, framealpha=0.9)
