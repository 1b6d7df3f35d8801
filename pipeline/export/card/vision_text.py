"""The model card of a vision-and-text bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.engine.interval_text import interval_text
from pipeline.export.card.facts import NOT_A_DEVICE
from pipeline.export.card.tables import files_table, table

PROBES = {"unmasked": "notes as written", "masked": "diagnosis words masked", "strict": "place, time and drugs masked too"}


def fusion_card(
    document: Mapping[str, Any], recipe: Mapping[str, Any], files: Mapping[str, Mapping], data_text: str = ""
) -> str:
    """Markdown: what it is, what it may be used for, what it scored, what its notes gave away, whose data, where it fails."""
    negative, positive = document["class_names"]
    data = [f"## Data and licences\n\n{data_text.strip()}"] if data_text.strip() else []
    return "\n\n".join([
        _head(document, recipe, negative, positive), _figures(document), _notes(document), *data, _limits(), _parity(document),
        f"## Files\n\n{files_table(files)}",
    ]) + "\n"  # fmt: skip


def _head(document: Mapping, recipe: Mapping, negative: str, positive: str) -> str:
    rows, patients = recipe["rows"], recipe["patients"]
    return f"""# {positive} against {negative} from X-ray and clinical note

From a frontal chest X-ray, a clinical note, or both: the probability of **{positive}** against {negative}. Frozen
{document["image"]["backbone"]} patches and frozen {document["note"]["encoder"]} pieces ({document["note"]["precision"]}) are
joined by **{document["arm"].replace("_", " ")}**, which the validation part chose. Trained and compared on
{rows[positive]} scans of {patients[positive]} {positive} patients and {rows[negative]} scans of {patients[negative]} other
patients, all from one collection.

## Intended use

Research and teaching: to see what a note adds to a picture, and what it gives away.

{NOT_A_DEVICE}

```
python run_pipeline.py classify --bundle BUNDLE IMAGE --note "text"
```

Words that name a diagnosis or its proof are taken out of the note first, and shown. A note in another language is answered,
with a warning where its script is not Latin. A note longer than {document["note"]["window"]} word pieces is cut, and the answer
says so."""


def _figures(document: Mapping) -> str:
    folds, stored = document["figures"]["folds"], document["figures"]["stored"]
    rows = [[arm.replace("_", " "), interval_text(auc)] for arm, auc in folds["auc"].items()]
    sentences = "\n".join(f"- {sentence}." for sentence in folds["better_than_both"])
    judged = f"{stored['rows']['test']} scans): AUC {interval_text(stored['test']['auc'])}"
    return f"""## Figures

Out-of-fold AUC by patient, 95 % interval over patients, every arm on the same folds:

{table(["arm", "AUC"], rows)}

{sentences}

The stored network on the test part of its own split ({judged}."""


def _notes(document: Mapping) -> str:
    withheld = document["figures"]["withheld"]
    arm = document["arm"]
    missing = [[half, interval_text(withheld[half][arm])] for half in ("note", "image")]
    return f"""{_audit(document["figures"].get("notes"))}

With a half missing:

{table(["missing", "AUC"], missing)}"""


def _audit(notes: Mapping | None) -> str:
    if notes is None:
        return "## What the notes give away\n\nThe run was not audited (s10): nobody looked at what length and words tell."
    rows = [[meaning, interval_text(notes["notes"][name]["words"]["auc"])] for name, meaning in PROBES.items()]
    rows += [["length of the note alone", interval_text(notes["length"]["auc"])],
             ["presence of a note alone", interval_text(notes["presence"]["auc"])]]  # fmt: skip
    return f"""## What the notes give away

A bag-of-words probe without any image, on the same folds:

{table(["notes", "AUC"], rows)}"""


def _limits() -> str:
    return """## Limits

- The notes are captions of published cases, written by people who knew the diagnosis: in a ward, notes say less.
- One collection, few patients of the other pneumonias: read the intervals, not the middle values.
- English only. Another language in Latin letters is not noticed.
- Probabilities are not calibrated: training weighs both classes alike.
- Nothing here checks that a picture is a chest X-ray.
- The licence of the training images differs by image and some are non-commercial: research only."""


def _parity(document: Mapping) -> str:
    checks = document["parity"]["checks"]
    rows = [[name, check["against"], f"{check['max_difference']:.1e}"] for name, check in checks.items()]
    return f"""## Parity

Kernels were rounded before any figure was taken (encoder 8 bits, the others float16) and are stored so.

{table(["what", "against", "difference"], rows)}"""
