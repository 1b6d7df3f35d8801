"""`data reorganize`: Kermany's folders pooled and split anew by patient, for both label sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from pipeline.cli.choices import choices
from pipeline.cli.telling.document import AsJson, Quiet, tell
from pipeline.data.new_folder import refuse_occupied
from pipeline.data.rearranging import placing
from pipeline.data.rearranging.reorganization import LABEL_SETS, published_leakage, read_pool, remaining_leakage, split_anew
from pipeline.data.rearranging.reorganized_folders import write_label_sets
from pipeline.engine.files import write_json
from pipeline.engine.progress import Reporter

BOTH = "both"
Labels = choices("Labels", (*LABEL_SETS, BOTH))
# How files get there; none is ever moved.
Mode = choices("Mode", get_args(placing.Mode))


def reorganize(
    folder: Annotated[Path, typer.Option("--data", help="Holds {train,val,test}/{NORMAL,PNEUMONIA}, or chest_xray/.")],
    out: Annotated[Path, typer.Option("--out", help="New folder; gets <label set>/{train,val,test}/<class>/.")],
    labels: Annotated[Labels, typer.Option("--labels", help="NORMAL and PNEUMONIA, the three classes, or both.")] = Labels.BOTH,
    mode: Annotated[Mode, typer.Option("--mode", help="Copy the files, or link to them.")] = Mode.COPY,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the split.")] = 42,
    total: Annotated[
        int | None, typer.Option("--desired-total-samples", min=1, help="At most so many scans, classes in their shares.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 2,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Pool the published folders of Kermany's chest X-rays and split them 70/15/15 by patient.

    Patients, and bacterial or viral, are read off the file names. Prints the counts, and what the published split had
    on several sides. reorganization.json in --out says the same.
    """
    refuse_occupied(out, folder)
    reporter, notices = Reporter(quiet), []
    pool = read_pool(folder, notices.append, workers, lambda scans: reporter.track(scans, len(scans), "scans"))
    scans = split_anew(pool, seed, total=total, warn=notices.append)
    wanted = list(LABEL_SETS) if labels.value == BOTH else [labels.value]
    counts = write_label_sets(scans, out, wanted, mode.value)
    published = published_leakage(pool)
    document = {
        "schema_version": 1,
        "out": str(out),
        "mode": mode.value,
        "seed": seed,
        "scans": len(scans),
        "patients": len({scan.patient_id or scan.id for scan in scans}),
        "counts": counts,
        "published_split": {
            "patients_on_several_sides": published.patients,
            "numbers_on_several_sides": published.numbers,
            "identical_pictures_on_several_sides": published.pixels,
            "sentences": published.sentences,
        },
        "new_split_leakage": remaining_leakage(scans, pool).sentences(),
        "unreadable": pool.unreadable,
        "left_out": pool.left_out,
        "warnings": notices,
    }
    write_json(out / "reorganization.json", document)
    tell(as_json, document, lambda: _words(document))


def _words(document: dict) -> str:
    lines = []
    for label_set, splits in document["counts"].items():
        classes = sorted({name for found in splits.values() for name in found})
        lines.append(f"{label_set:<12}" + "".join(f"{name:>12}" for name in [*classes, "all"]))
        for split, found in splits.items():
            numbers = [*(found.get(name, 0) for name in classes), sum(found.values())]
            lines.append(f"  {split:<10}" + "".join(f"{number:>12,}" for number in numbers))
    lines.append("Published split: " + (" ".join(document["published_split"]["sentences"]) or "nothing on several sides."))
    lines.append("New split: " + (" ".join(document["new_split_leakage"]) or "no patient and no picture on several sides."))
    for title in ("unreadable", "left_out"):
        found = document[title]
        if found:
            name, why = next(iter(found.items()))
            lines.append(f"{title.replace('_', ' ')}: {len(found)} (first: {name}: {why})")
    lines += [f"note: {text}" for text in document["warnings"]]
    lines.append(f"{document['scans']:,} scans of {document['patients']:,} patients in {document['out']} ({document['mode']})")
    return "\n".join(lines)
