"""Which bundle a command means: the one named, a run's, or the one that comes with the project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

from pipeline.engine.errors import MissingArtifactError, StorageError, UsageError
from pipeline.engine.files import remove_folder, sha256_file
from pipeline.engine.progress import Reporter
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.shipped_files import shipped
from pipeline.systems import System, default_bundle, system_of_run

DISTRIBUTION = "respiratory-pipeline"
EXPORTER = Path(__file__).parents[1] / "export"
# what of the exporter decides a bundle's bytes: its code, and the templates of its cards
SOURCES = (".py", ".j2")


def find_bundle(
    bundle: Path | None, run: Path | None, reporter: Reporter, command: str | None = None, system: str | None = None
) -> Path:
    """The bundle's folder; where none is named, the shipped one that `command` reads (None: any command).

    system: of a run that holds several. Raises UsageError where two models are named, or of the run's systems not one is
    meant; MissingArtifactError where there is none.
    """
    if bundle is not None and run is not None:
        raise UsageError("--bundle and --run name two models.", "Give one of them.")
    if run is not None:
        return bundle_of_run(run, reporter, system_of_run(RunDirectory(run), system, command))
    if system is not None:
        raise UsageError("--system is for a run that holds several.", "Give the run with --run DIR.")
    if bundle is not None:
        return bundle
    default = default_bundle(command)
    if not shipped(default).is_dir():
        source = installed_from()
        found = source / default if source is not None and (source / default).is_dir() else None
        where = f"--bundle {found}" if found is not None else f"--bundle DIR, {default} of the repository or another"
        raise MissingArtifactError(
            f"The default bundle {default} does not come with this copy of the project.",
            f"Give {where}, or --run DIR with a finished run.",
        )
    return shipped(default)


def installed_from() -> Path | None:
    """The folder that pip installed the package from, as it recorded it (PEP 610); None where it is not known."""
    try:
        record = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    address = urlparse(json.loads(record)["url"]) if record else None
    return Path(unquote(address.path)) if address is not None and address.scheme == "file" else None


def bundle_of_run(run: Path, reporter: Reporter, system: System) -> Path:
    """A system of a finished run as a bundle under `<run>/.cache/bundle`, made again only when artifacts or exporter change.

    Raises what the system's exporter raises, and StorageError where the run's folder cannot be written to.
    """
    finished = run / ".cache" / "bundle" / system.name / key_of_run(RunDirectory(run), _sources())
    if finished.is_dir():
        return finished
    from filelock import FileLock  # a run alone needs it

    cache = finished.parent
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache.with_name(f"{system.name}.lock")):
            if not finished.is_dir():
                reporter.line(f"making a bundle of {run} (once, until the run changes)")
                _export(run, finished, system)
    except PermissionError as cause:
        raise StorageError(
            f"{cache}: cannot be written to ({cause.strerror}).", f"Export it elsewhere: export --run {run} --out DIR."
        ) from cause
    return finished


def _export(run: Path, finished: Path, system: System) -> None:
    # The exporter imports TensorFlow; whoever has a bundle must never pay for that.
    system.load("exporter").for_commands(run).write(finished)
    for outdated in finished.parent.iterdir():
        if outdated != finished and outdated.is_dir():
            remove_folder(outdated)


def key_of_run(run: RunDirectory, parts: Iterable[str], first: str = "") -> str:
    """16 hexadecimal digits of the hashes of a run's artifacts, of its `first` stages where they are named, and of `parts`."""
    artifacts = [
        f"{stage}/{name} {output.sha256}"
        for stage, manifest in run.manifests.items() if stage.startswith(first)
        for name, output in manifest.outputs.items()
    ]  # fmt: skip
    return hashlib.sha256("\n".join(sorted(artifacts) + sorted(parts)).encode()).hexdigest()[:16]


def _sources() -> list[str]:
    return [
        f"{path.relative_to(EXPORTER)} {sha256_file(path)}" for path in EXPORTER.rglob("*") if path.suffix in SOURCES
    ]
