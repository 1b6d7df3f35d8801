"""How every bundle is judged: labelled cases → answers → their table → rows → document, figures and words."""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

from matplotlib.figure import Figure

from pipeline.cli.evaluate.request import Evaluation, EvaluationRequest
from pipeline.data.gate.kinds import NOT_ASKED
from pipeline.data.layouts.labelled_cases import LabelledCase, read_labelled_cases
from pipeline.data.masks.mask_coding import MaskCoding, read_mask_coding
from pipeline.data.scans import CT, XRAY
from pipeline.data.splitting.labelled_pictures import warn_of_copies
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.interval_text import interval_text
from pipeline.engine.invocation import typed
from pipeline.engine.listing import listed
from pipeline.engine.outputs import prepare_output, refuse_overwriting
from pipeline.evaluation.metrics.classification import confusion_matrix
from pipeline.evaluation.metrics.names import metric_words
from pipeline.evaluation.output_folder import refuse_taken_folder, write_findings
from pipeline.evaluation.statistics.clusters import cluster_note
from pipeline.evaluation.tables.rows import Rows
from pipeline.inference.answered_rows import (
    LABEL,
    PREDICTIONS,
    AnsweredRow,
    answer_all,
    failure_summary,
    failures,
    refuse_all_failed,
    refuse_many_failures,
    seen_cases,
    write_class_table,
)
from pipeline.inference.answers import Answer
from pipeline.inference.opened_bundle import OpenedBundle
from pipeline.inference.per_patient import RULE_WORDS, Rule, by_patient, refuse_rule, require_patients
from pipeline.inference.seen.words import TOLD, UNKNOWN, keyed, seen_words

METRICS, BY_SCAN = "metrics.json", "predictions_by_scan.csv"
# What is said of an evaluation once, whatever rows are left out.
OF_ALL = ("schema_version", "system", "per_patient", "bundle", "variant", "class_names", "positive_class", "threshold",
          "settings", "lungs", "unreadable", "warnings")  # fmt: skip
SEED, LEVEL = 0, 0.95


class Evaluator(ABC):
    """One evaluation. A system says what is its own: how a case is asked, what is judged and drawn, and how it is told.

    figures: names of the figures; tables: the files of rows. what: its scans in messages. masks: whether lungs are compared
    too. label, columns: how the table of answers calls the true class, and its measures.
    """

    figures: ClassVar[tuple[str, ...]]
    tables: ClassVar[tuple[str, ...]] = (PREDICTIONS,)
    what: ClassVar[str] = "images"
    masks: ClassVar[bool] = False
    label: ClassVar[str] = LABEL
    columns: ClassVar[Sequence[str]] = ()

    def __init__(self, opened: OpenedBundle, request: EvaluationRequest) -> None:
        self.opened, self.request = opened, request
        self.manifest, self.out = opened.manifest, request.out
        self.warnings: list[str] = []
        self.cases: Sequence[LabelledCase] = []
        self.coding: MaskCoding | None = None

    @classmethod
    def evaluate(cls, opened: OpenedBundle, request: EvaluationRequest) -> Evaluation:
        """Judge a bundle. See `run`."""
        return cls(opened, request).run()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The files that it writes."""
        by_scan = (BY_SCAN,) if self.request.rule is not None else ()
        return (*self.tables, *by_scan, METRICS, *(f"{name}.png" for name in self.figures))

    def run(self) -> Evaluation:
        """Answer the labelled cases, write `outputs` and return the document of `metrics.json` with its words.

        Intervals are clustered by patient. Raises what `read_labelled_cases` raises, and DataError where too many of the
        scans have no answer or what is left cannot be judged; `predictions.csv` is written all the same and names them.
        """
        data, reporter = self.request.data, self.request.reporter
        refuse_taken_folder(self.out)
        self.cases = read_labelled_cases(
            data, self.manifest.class_names, self.warnings.append, modalities=self.opened.modalities,
            modality=self.request.modality, masks=self.masks,
        )  # fmt: skip
        if self.request.rule is not None:
            refuse_rule(self.manifest, self.request.rule)
            require_patients({case.id: case.patient_id for case in self.cases}, str(data))
        labelled = [(case.id, scan, case.label) for case in self.cases for scan in case.scans]
        warn_of_copies(data, labelled, self.warnings.append)
        self.coding = self._read_coding()
        read = [path for case in self.cases for path in (*case.scans, case.mask) if path is not None]
        refuse_overwriting([self.out / name for name in self.outputs], [data, *read])
        prepare_output(self.out / PREDICTIONS)
        asked = reporter.track(self.cases, len(self.cases), self.what)
        rows = answer_all(asked, self.ask, lambda rows: self.write_table(self.out / PREDICTIONS, rows))
        for line in failure_summary(rows, self.what):
            reporter.line(line)
        self.write_table(self.out / PREDICTIONS, rows)
        refuse_all_failed(rows, self.what)
        refuse_many_failures(rows, self.request.max_unreadable, self.out / PREDICTIONS, self.what)
        judging = self
        if self.request.rule is not None:
            self.write_table(self.out / BY_SCAN, rows)
            judging, rows = self._by_patient(rows, self.request.rule)
            judging.write_table(self.out / PREDICTIONS, rows)
        judging.refuse_one_class(rows)
        document, drawn = judging.judge(rows)
        document |= {"gate": judging._gate_findings(rows), "seen": judging._seen_findings(rows), "per_patient": self.request.rule}
        write_findings(self.out, METRICS, document, drawn)
        written = [name for name in self.outputs if (self.out / name).exists()]
        notes = [f"note: {warning}" for warning in document["warnings"]]
        aside = [*judging._gate_words(document["gate"]), *judging._seen_words(document["seen"])]
        rule = [f"One answer a patient: {RULE_WORDS[self.request.rule]}."] if self.request.rule is not None else []
        said = [*judging.words(document), *rule, *aside, *notes]
        beside = typed(f"compare --predictions {shlex.quote(str(self.out))} OTHER --out DIR")
        return Evaluation(document, "\n".join([*said, f"{', '.join(written)} in {self.out}", "Next, beside another evaluation:",
                                               f"  {beside}"]))  # fmt: skip

    def _by_patient(self, rows: Sequence[AnsweredRow], rule: Rule) -> tuple[Self, list[AnsweredRow]]:
        """The evaluator of one answer a patient, and these answers."""
        patients = by_patient(rows, self.manifest, rule)
        twin, scans = copy(self), {}
        for case in self.cases:
            for name, patient, scan in ((XRAY, case.patient_id, case.xray), (CT, case.patient_id_ct or case.patient_id, case.ct)):
                if scan is not None:
                    scans.setdefault(patient, {}).setdefault(name, scan)
        # Of a patient's scans one of each modality stands for all: lungs are looked into by scan, not here.
        twin.cases = [LabelledCase(row.id, scans[row.id].get(XRAY), scans[row.id].get(CT), row.copied) for row in patients]
        twin.coding, twin.what = None, "patients"
        return twin, patients

    def narrowed(self, rows: Sequence[AnsweredRow], out: Path) -> Self:
        """The evaluator of some of the rows, which are written to `out`; lungs are not looked into again."""
        twin, ids = copy(self), {row.id for row in rows}
        twin.out, twin.warnings, twin.coding = out, [], None
        twin.cases = [case for case in self.cases if case.id in ids]
        return twin

    def _gate_findings(self, rows: Sequence[AnsweredRow]) -> dict[str, Any]:
        """What the gate would have refused, {case: what its scans were taken for}, and what is measured `_without` them."""
        looked_at = {f.gate for row in rows for f in row.answer.findings} - {"", NOT_ASKED}
        refused = {row.id: {f.modality: f.gate for f in row.answer.findings if f.refused} for row in rows if row.answer.refused}
        return {"asked": bool(looked_at), "refused": refused, "without_refused": self._without(rows, refused)}

    def _seen_findings(self, rows: Sequence[AnsweredRow]) -> dict[str, Any]:
        """Which cases the bundle has learnt from, and what is measured `_without` them. asked: whether it says at all."""
        found = seen_cases(rows)
        named = found or {keyed(word): [] for word in TOLD}
        without = self._without(rows, [name for ids in named.values() for name in ids])
        return {"asked": found is not None, **named, "without_seen": without}

    def _without(self, rows: Sequence[AnsweredRow], left_out: Collection[str]) -> dict[str, Any] | None:
        """What is measured without some cases: None where all or none are left out, or those that are left cannot be judged."""
        kept = [row for row in rows if row.id not in left_out]
        if not left_out or not kept:
            return None
        with TemporaryDirectory() as folder, suppress(DataError):
            twin = self.narrowed(kept, Path(folder))
            twin.write_table(twin.out / PREDICTIONS, kept)
            twin.refuse_one_class(kept)
            document, _ = twin.judge(kept)
            return {name: value for name, value in document.items() if name not in OF_ALL}
        return None

    def _gate_words(self, found: dict[str, Any]) -> list[str]:
        refused = found["refused"]
        if not refused:
            return []
        named = listed([f"{name} ({', '.join(kinds.values())})" for name, kinds in refused.items()])
        told = f"The gate would have refused {len(refused)} of {len(self.cases)}, which are answered here: {named}."
        return [told, *self._words_without(found["without_refused"])]

    def _seen_words(self, found: dict[str, Any]) -> list[str]:
        if not found["asked"]:
            return [UNKNOWN]
        counts = {keyed(word): len(found[keyed(word)]) for word in TOLD}
        told, seen = seen_words(counts, len(self.cases), self.what), sum(counts.values())
        if not seen:
            return [told]
        named = listed([name for word in TOLD for name in found[keyed(word)]])
        left = found["without_seen"]
        if left is None:
            nothing = "none is left" if seen == len(self.cases) else "those that are left cannot be judged"
            return [f"{told} The figures above flatter it, and without them {nothing}: {named}."]
        return [f"{told} The figures above flatter it: {named}.", *self._words_without(left)]

    def _words_without(self, document: dict[str, Any] | None) -> list[str]:
        """The figures of `_without`, as lines for people."""
        if document is None:
            return []
        return ["Without them:", *(f"  {line}" for line in self.words({**self._described(), **document}))]

    def _described(self) -> dict[str, Any]:
        """What OF_ALL holds, as far as `words` reads it."""
        manifest = self.manifest
        return {"positive_class": manifest.positive_class, "threshold": manifest.threshold, "lungs": None, "unreadable": {}}

    def _read_coding(self) -> MaskCoding | None:
        """What the values of the cases' masks mean, which is said where they are not 0 and 255; None without masks.

        Raises what `read_mask_coding` raises, and UsageError where labels are named and no case has a mask.
        """
        labels, masks = self.request.mask_labels, [case.mask for case in self.cases if case.mask is not None]
        if not masks:
            if labels:
                raise UsageError("--mask-labels tells what masks hold, and no case has one.", "Leave it out.")
            return None
        coding = read_mask_coding(masks, labels, f"{self.request.data}: the masks")
        self.warnings += [coding.said] if coding.said else []
        return coding

    @abstractmethod
    def ask(self, case: LabelledCase) -> Answer:
        """What is kept of the answer to one case."""

    @abstractmethod
    def judge(self, rows: Sequence[AnsweredRow]) -> tuple[dict, Mapping[str, Figure]]:
        """The document, ready for json.dump, with its "warnings", and the figures by name."""

    @abstractmethod
    def words(self, document: dict) -> list[str]:
        """The document as lines for people, without its warnings."""

    def write_table(self, path: Path, rows: Sequence[AnsweredRow]) -> None:
        """Write the answers: a row a case."""
        write_class_table(path, rows, self.manifest.class_names, self.label, self.columns)

    def refuse_one_class(self, rows: Sequence[AnsweredRow]) -> None:
        """Raise DataError where what was answered is of one class."""
        left = {row.label for row in rows if row.answer.error is None}
        if len(left) < 2:
            mend = "One class cannot be judged."
            raise DataError(f"{self.request.data}: every image that was answered is {left.pop()}.", mend)

    def scored(self, answered: Sequence[AnsweredRow]) -> Rows:
        """The cases that have an answer, with the class that the bundle itself named."""
        names, mine = self.manifest.class_names, [row for row in answered if row.answer.error is None]
        threshold = self.manifest.class_threshold
        return Rows(
            truth=[names.index(row.label) for row in mine],
            probabilities=[[row.answer.probabilities[name] for name in names] for row in mine],
            class_names=names,
            patients=[row.copied.get("patient_id", "") for row in mine],
            positive_class=self.manifest.positive_class if threshold is not None else None,
            threshold=0.5 if threshold is None else threshold,
            predicted=[names.index(row.answer.predicted) for row in mine],
        )

    def class_document(self, answered: Sequence[AnsweredRow], rows: Rows, notes: Sequence[str] = (), **settings: str) -> dict:
        """What is said of every bundle that answers images with a class each; `settings`: more of them."""
        names, confusion, patients = list(rows.class_names), confusion_matrix(rows).tolist(), rows.patients.tolist()
        return {
            "schema_version": 1,
            "system": self.opened.system,
            "bundle": str(self.opened.path),
            "class_names": names,
            "positive_class": self.manifest.positive_class,
            "threshold": self.manifest.threshold,
            "images": len(answered),
            "unreadable": {row.id: finding.error for row, finding in failures(answered)},
            "patients": len(set(patients) - {""}) or None,
            "confusion": confusion,
            "support": {name: sum(counts) for name, counts in zip(names, confusion, strict=True)},
            "settings": {"seed": SEED, "level": LEVEL, "clusters": "patients", **settings},
            "warnings": [*self.warnings, *filter(None, [cluster_note(patients)]), *notes],
        }


def answered_words(document: dict, joined: str) -> str:
    """How many images were answered, of how many patients; `joined`: what stands between."""
    failed = len(document["unreadable"])
    patients = f"{joined}{document['patients']} patients" if document["patients"] else ""
    return f"{document['images'] - failed} of {document['images']} images answered{patients}"


def scores_text(metrics: dict, shown: Sequence[str]) -> str:
    """The metrics with their intervals in one line."""
    return ", ".join(f"{metric_words(name)} {interval_text(metrics[name])}" for name in shown)
