"""s01: scans in, one array for each profile out, with the index that every later stage follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from pipeline.data.layouts.data_source import DataSource, read_scans
from pipeline.data.layouts.patient_table import patient_table_in
from pipeline.data.masks.mask_arrays import write_mask_arrays
from pipeline.data.preprocessing import Profile
from pipeline.data.profile_arrays import ReadScans, refuse_many_failures, write_profile_arrays
from pipeline.data.reading.gray_reader import read_gray
from pipeline.data.scan_index import attribute_frame, index_frame
from pipeline.data.scans import MODALITIES, Scan
from pipeline.data.splitting.leakage import Leakage, find_leakage
from pipeline.data.splitting.splits import refuse_one_class
from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Stage
from pipeline.engine.errors import ConfigError, DataError, did_you_mean
from pipeline.engine.listing import listed
from pipeline.engine.setting_values import shown_value

SHEET_FAMILIES = ("threshold", "blur", "morphology", "edge", "histogram")
ALLOW_LEAKAGE = "allow-leakage"


class Config(StageConfig):
    """Which scans, how they are split, and the arrays that the consumers ask for."""

    data: DataSource = DataSource()
    """Where the scans come from and how they are split."""
    positive_class: str | None = "COVID"
    """The class that is looked for; null only where more than two classes are told apart."""
    profiles: dict[str, Profile] = Field(min_length=1)
    """The arrays that later stages ask for, by a name of letters, digits and _."""
    lung_masks: tuple[str, ...] = ()
    """The profiles that get an array of lung masks beside them."""
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The largest share of scans that may fail to be read before the run is refused."""
    sample_sheet: bool = True
    """Draw what the preprocessing operations do to one scan of each modality."""

    def check_with(self, others: Mapping[str, StageConfig]) -> None:
        for name in self.profiles:
            if not name.replace("_", "").isalnum():
                raise ConfigError(f"s01.profiles: {name!r} cannot name a file.", "Use letters, digits and _.")
        # Windows and macOS take names of two cases for one.
        folded: dict[str, str] = {}
        for name in self.profiles:
            if (first := folded.setdefault(name.casefold(), name)) != name:
                mend = "Let them differ in more than case."
                raise ConfigError(f"s01.profiles: {first!r} and {name!r} would be one file.", mend)
        for name in self.lung_masks:
            if name not in self.profiles:
                raise ConfigError(f"s01.lung_masks: there is no profile {name!r}.{did_you_mean(name, self.profiles)}")


def _outputs(config: Config) -> tuple[Artifact, ...]:
    arrays = tuple(
        Artifact(f"pixels_{name}", f"pixels_{name}.npy", (f"N_{profile.modality}", profile.size, profile.size), "uint8",
                 "gray level, 0 to 255", f"{profile.modality} scans, {' + '.join(profile.operations) or 'plain'}")
        for name, profile in config.profiles.items()
    )  # fmt: skip
    masks = tuple(
        Artifact(f"lung_mask_{name}", f"lung_mask_{name}.npy", (f"N_{profile.modality}", profile.size, profile.size), "uint8",
                 "1 = lung", "row for row beside the pixels; empty where has_mask is 0")
        for name, profile in config.profiles.items() if name in config.lung_masks
    )  # fmt: skip
    attributes = tuple(
        Artifact("scan_attributes", "scan_attributes.csv", meaning="what else the data tells of each scan: notes, age, sex, …")
        for asked in (config.data.all_attributes,) if asked
    )  # fmt: skip
    sheets = tuple(
        Artifact(f"sample_sheet_{family}", f"sample_sheet_{family}.png", meaning=f"{family} operations, a scan a modality")
        for family in SHEET_FAMILIES if config.sample_sheet
    )  # fmt: skip
    return (
        *arrays,
        *masks,
        *attributes,
        Artifact(
            "scan_index", "scan_index.csv", meaning="one row a scan: id, modality, row in its arrays, label, split, patient"
        ),
        Artifact("dataset", "dataset.json", meaning="class names, positive class, modalities, profiles, counts, leakage found"),
        Artifact("failures", "failures.csv", meaning="scans that could not be read, and why"),
        *sheets,
    )


def _external(config: Config, data: Path | None) -> Iterable[Path]:
    root = _require(data)
    for scan in read_scans(root, config.data, 0, lambda _: None):
        files = (scan.path, scan.mask) if config.lung_masks else (scan.path,)
        yield from (path for path in files if path is not None and path.is_file())
    tables = dict.fromkeys((root / config.data.manifest, patient_table_in(root)))
    yield from (table for table in tables if table is not None and table.is_file())


def _require(data: Path | None) -> Path:
    if data is None:
        raise DataError("s01 reads scans, and no folder was given.", "Give it with --data DIR.")
    return data


def run(context: Context) -> None:
    """Read, check, split and preprocess."""
    config: Config = context.config
    scans = read_scans(_require(context.data), config.data, context.seed, context.warn)
    _refuse_missing_modality(config, scans)
    _positive(config, scans)
    read = write_profile_arrays(
        scans, config.profiles,
        lambda name, profile: context.writer(f"pixels_{name}", (profile.size, profile.size)),
        lambda pixels: context.progress(pixels, len(scans), "scans"),
    )  # fmt: skip
    _report_failures(context, read)
    refuse_many_failures(read, config.max_unreadable)
    refuse_one_class(read.kept, scans)
    leakage = _check_leakage(context, read)
    kept = _write_masks(context, read.kept)
    context.save_csv("scan_index", index_frame(kept, read.pixel_hashes))
    if config.data.all_attributes:
        context.save_csv("scan_attributes", attribute_frame(kept))
    context.save_json("dataset", {
        "class_names": sorted({scan.label for scan in read.kept}),
        "positive_class": _positive(config, read.kept),
        "modalities": [name for name in MODALITIES if any(scan.modality == name for scan in read.kept)],
        "profiles": {name: profile.model_dump(mode="json") for name, profile in config.profiles.items()},
        "counts": _counts(read.kept),
        "unreadable": len(read.failures),
        "leakage": leakage.sentences(),
        "near_duplicates": [pair.row() for pair in dict.fromkeys([*leakage.near_across, *leakage.near_conflicts])],
    })  # fmt: skip
    if config.sample_sheet:
        _draw_sample_sheet(context, kept)


def _write_masks(context: Context, scans: list[Scan]) -> list[Scan]:
    """The scans as the index shall know them: with a mask only where it could be read."""
    profiles = {name: context.config.profiles[name] for name in context.config.lung_masks}
    if not profiles:
        return scans
    written = write_mask_arrays(
        scans, profiles,
        lambda name, profile: context.writer(f"lung_mask_{name}", (profile.size, profile.size)),
        lambda each: context.progress(each, len(scans), "masks"),
        context.config.data.mask_labels,
    )  # fmt: skip
    for sentence in written.said:
        context.warn(f"{sentence}.")
    for name, reason in written.failures.items():
        context.log(f"no mask for {name}: {reason}")
    if written.failures:
        if all(scan.mask is None for scan in written.scans):
            first = next(iter(written.failures.values()))
            raise DataError(
                f"None of {len(written.failures)} lung masks can be read; the first: {first}",
                "Mend their paths or files, or leave s01.lung_masks out.",
            )
        context.warn(f"{len(written.failures)} lung masks could not be read; their scans go on without one.")
    for name, doubt in written.doubts.items():
        context.log(f"mask of {name}: {doubt}")
    if written.doubts:
        named = [f"{name} ({doubt})" for name, doubt in written.doubts.items()]
        context.warn(f"{len(named)} lung masks are doubtful: {listed(named)}.")
    return written.scans


def _positive(config: Config, scans: list[Scan]) -> str | None:
    names, named = sorted({scan.label for scan in scans}), config.positive_class
    if named is not None and named not in names:
        raise ConfigError(
            f"s01.positive_class {named!r} is not among the classes {', '.join(names)}.{did_you_mean(named, names)}",
            f"Name the class that is looked for: s01.positive_class: {shown_value(names[0])}",
        )
    if named is None and len(names) == 2:
        said = " or ".join(shown_value(name) for name in names)
        raise ConfigError(f"s01.positive_class is null, and there are two classes: {said}.", "Name the one that is looked for.")
    return named


def _refuse_missing_modality(config: Config, scans: list[Scan]) -> None:
    present = {scan.modality for scan in scans}
    for name, profile in config.profiles.items():
        if profile.modality not in present:
            raise DataError(f"s01.profiles.{name} is of {profile.modality}, of which the data has no scan.",
                            f"Take the profile out, or change its modality: {' and '.join(sorted(present))}.")  # fmt: skip


def _report_failures(context: Context, read: ReadScans) -> None:
    import pandas as pd

    for name, reason in read.failures.items():
        context.log(f"skipped {name}: {reason}")
    if read.failures:
        context.warn(f"{len(read.failures)} scans could not be read and are left out (failures.csv names them).")
    context.save_csv("failures", pd.DataFrame(list(read.failures.items()), columns=["id", "reason"]))


def _check_leakage(context: Context, read: ReadScans) -> Leakage:
    leakage = find_leakage(read.kept, read.pixel_hashes, read.thumbnails)
    sentences = leakage.sentences()
    if sentences and ALLOW_LEAKAGE not in context.flags:
        raise DataError(" ".join(sentences), "Mend the split, or go on with --allow-leakage: the report then says so.")
    for sentence in sentences:
        context.warn(f"LEAKAGE allowed: {sentence} Scores on this split are flattered.")
    if leakage.conflicts:
        named = listed([" = ".join(group) for group in leakage.conflicts])
        context.warn(f"{len(leakage.conflicts)} groups of identical images carry different labels: {named}.")
    for sentence in (*leakage.spelling_sentences(), *leakage.near_sentences()):
        context.warn(sentence)
    return leakage


def _counts(scans: list[Scan]) -> dict:
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for scan in scans:
        classes = counts.setdefault(scan.modality, {}).setdefault(scan.split, {})
        classes[scan.label] = classes.get(scan.label, 0) + 1
    return counts


def _draw_sample_sheet(context: Context, scans: list[Scan]) -> None:
    from pipeline.data.inspection.sample_sheet import sample_sheet

    positive = context.config.positive_class
    first: dict[str, np.ndarray] = {}
    for modality in MODALITIES:
        mine = (scan for scan in scans if scan.modality == modality and positive in (scan.label, None))
        chosen = next(mine, None)
        if chosen is not None:
            first[modality] = read_gray(chosen.path)
    for family, figure in sample_sheet(**first).items():
        context.save_figure(f"sample_sheet_{family}", figure)


STAGE = Stage(
    "s01_preprocessing", "read, check, split and preprocess the scans", Config, lambda config: (), _outputs, run, _external
)
