"""A reader study as a picture: where each reader stands without and with AI, and what changed."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.figures.style import GRAY, MARKERS, PALETTE, mark_interval, new_figure
from pipeline.evaluation.metrics.names import metric_words

CHANGES = ("sensitivity", "specificity", "auc")
MEAN = "#000000"


def reader_study_figure(document: dict) -> Figure:
    """Left: each reader's operating point without (open) and with AI (filled) in the ROC plane, joined by an arrow.

    Right: the change of CHANGES for each reader (intervals by bootstrap over patients) and for readers at large
    (multi-reader multi-case). document: from `reader_study`.
    """
    readers = document["readers"]
    figure, axes = new_figure(1, 1 + len(CHANGES), 3.3, max(4.0, 2.2 + 0.32 * len(readers)))
    _operating_points(axes[0], document)
    for axis in axes[2:]:
        axis.sharex(axes[1])
    for column, (axis, metric) in enumerate(zip(axes[1:], CHANGES, strict=True)):
        changes = [document["per_reader"][name]["difference"][metric] for name in readers]
        study = document["mrmc"][metric]["difference"]
        for row, change in enumerate(changes):
            mark_interval(axis, row, change, PALETTE[row % len(PALETTE)], MARKERS[row % len(MARKERS)])
        mark_interval(axis, len(readers) + 0.4, study, MEAN, "D")
        axis.axvline(0, color=GRAY, linewidth=0.8)
        axis.axhline(len(readers) - 0.3, color=GRAY, linewidth=0.6)
        places = [*range(len(readers)), len(readers) + 0.4]
        axis.set_yticks(places, [*readers, "readers at large"] if column == 0 else [])
        axis.set(ylim=(len(readers) + 1, -0.6), xlabel=f"Change in {metric_words(metric)}")
        axis.set_title(_test_text(document, metric), fontsize=8.5)
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    counts, level = document["counts"], document["settings"]["level"]
    figure.suptitle(
        f"{counts['readers']} readers, {counts['cases']} cases ({counts['positive']} positive), with {100 * level:g} % intervals",
        fontsize=11,
    )
    return figure


def _operating_points(axis: Axes, document: dict) -> None:
    axis.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=":")
    points = {name: _points(document["per_reader"][name]) for name in document["readers"]}
    for place, (name, (without, with_ai)) in enumerate(points.items()):
        color, marker = PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)]
        _arrow(axis, without, with_ai, color)
        axis.plot(*without, marker=marker, color=color, markerfacecolor="white", linestyle="", markersize=6)
        axis.plot(*with_ai, marker=marker, color=color, linestyle="", markersize=6, label=name)
    without, with_ai = _points(document["mean_reader"])
    _arrow(axis, without, with_ai, MEAN)
    axis.plot(*without, marker="D", color=MEAN, markerfacecolor="white", linestyle="", markersize=7)
    axis.plot(*with_ai, marker="D", color=MEAN, linestyle="", markersize=7, label="mean")
    # readers crowd one corner: half the plane is enough when all of them stand in it
    everyone = [point for pair in points.values() for point in pair]
    wide = max(point[0] for point in everyone) > 0.5 or min(point[1] for point in everyone) < 0.5
    axis.set(xlim=(-0.02, 1.02 if wide else 0.52), ylim=(-0.02 if wide else 0.48, 1.02), aspect="equal")
    axis.set(xlabel="False-positive rate (1 − specificity)", ylabel="Sensitivity")
    axis.set_title("open: without AI, filled: with AI", fontsize=8.5)
    if len(points) <= 2 * len(PALETTE):
        axis.legend(fontsize=7, loc="lower right", framealpha=0.9)


def _points(arms: Mapping[str, Mapping]) -> tuple[tuple[float, float], tuple[float, float]]:
    without, with_ai = ((1 - arms[arm]["specificity"]["value"], arms[arm]["sensitivity"]["value"]) for arm in ("without", "with"))
    return without, with_ai


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    if start != end:
        style = {"arrowstyle": "->", "color": color, "linewidth": 1.1, "shrinkA": 4, "shrinkB": 4}
        axis.annotate("", xy=end, xytext=start, arrowprops=style)


def _test_text(document: dict, metric: str) -> str:
    test = next(test for test in document["tests"] if test["family"] == "study" and test["metric"] == metric)
    return "readers at large: no test" if test["p_adjusted"] is None else f"readers at large: Holm p = {test['p_adjusted']:.2g}"
