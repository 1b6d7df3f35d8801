"""How every system's bundle is made: checked source → graphs → parity → card → hashes. A system says what differs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from pipeline import systems
from pipeline.engine.errors import UsageError
from pipeline.engine.files import atomic_write_text
from pipeline.engine.rundir import RunDirectory
from pipeline.export.bundle_folder import file_table, refuse_foreign_folder, staged_bundle, write_description
from pipeline.export.checked_run import CheckedRun
from pipeline.export.gate.distance_section import fit_section, profiles_of
from pipeline.export.seen.section import write_seen
from pipeline.inference.gate import description
from pipeline.inference.seen.description import SECTION as SEEN_SECTION

CARD = "MODEL_CARD.md"
GATE_SECTION = description.SECTION


@dataclass(frozen=True)
class ExportOptions:
    """What may be asked of an export; None, False and "" ask nothing.

    keras: add the Keras networks. card: Markdown added to the model card's section on data. opset, layout: of a graph whose
    doors may be chosen. positive_index: the number that the positive class had where a model was trained elsewhere.
    """

    keras: bool = False
    card: str = ""
    opset: int | None = None
    layout: str | None = None
    positive_index: int | None = None

    def refuse_beyond(self, taken: frozenset[str], what: str) -> None:
        """Raise UsageError naming every option asked for that is not among those taken."""
        asked = [name for name, value in asdict(self).items() if value not in (None, False, "") and name not in taken]
        if asked:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in asked)
            raise UsageError(f"{options} {'are' if len(asked) > 1 else 'is'} not for {what}.", "Leave it out.")


# nothing asked
PLAIN = ExportOptions()


class Exporter(ABC):
    """The bundle of one source: a finished run, or models from elsewhere. A subclass is a system's row in `pipeline.systems`.

    SYSTEM: its name. TAKES: fields of ExportOptions that it heeds. NEEDS_KERAS: whether a runtime of its command reads the
    Keras networks, so that a bundle made for that command holds them.
    """

    SYSTEM: ClassVar[str]
    TAKES: ClassVar[frozenset[str]] = frozenset({"card", "keras"})
    NEEDS_KERAS: ClassVar[bool] = False

    def __init__(self, source: Any, options: ExportOptions = PLAIN) -> None:
        """Raises UsageError for an option that this system does not take."""
        self.source, self.options = source, options
        self.run_dir: Path | None = None
        options.refuse_beyond(self.TAKES, f"a bundle of {self.SYSTEM}")

    @classmethod
    def of_run(cls, run_dir: Path, options: ExportOptions = PLAIN) -> Self:
        """The exporter of what a finished run holds of this system.

        Raises MissingArtifactError (not a run, or it has not finished this system), StaleArtifactError,
        CorruptArtifactError (an artifact was changed), UsageError (an option that it does not take).
        """
        options.refuse_beyond(cls.TAKES, f"a bundle of {cls.SYSTEM}")
        systems.system_of_run(RunDirectory(run_dir), cls.SYSTEM)
        exporter = cls(cls.read_run(Path(run_dir)), options)
        exporter.run_dir = Path(run_dir)
        return exporter

    @classmethod
    def for_commands(cls, run_dir: Path) -> Self:
        """The exporter of a bundle that every runtime of the system's command can answer with. Raises as `of_run`."""
        return cls.of_run(run_dir, ExportOptions(keras=cls.NEEDS_KERAS))

    @classmethod
    @abstractmethod
    def read_run(cls, run_dir: Path) -> Any:
        """The source that a run is; every artifact of it comes from a CheckedRun."""

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """What ``bundle.json`` says beside system, parity and files."""

    @abstractmethod
    def write_graphs(self, folder: Path) -> None:
        """Write the graphs, and what is needed beside them to answer."""

    @abstractmethod
    def check_parity(self, folder: Path, document: Mapping[str, Any]) -> dict[str, Any]:
        """Compare the graphs as written with Keras. Raises CorruptArtifactError beyond 1e-4."""

    @abstractmethod
    def card(self, document: Mapping[str, Any], files: Mapping[str, Mapping]) -> str:
        """The model card's Markdown."""

    def write_keras(self, folder: Path) -> dict[str, Any]:
        """Write the Keras networks below ``folder``; returns what ``bundle.json`` says of them."""
        return {}

    def settle(self, folder: Path, document: dict[str, Any]) -> dict[str, Any]:
        """A last word on files and document, once the graphs have been found right."""
        return document

    def write(self, out: Path) -> Path:
        """Write the bundle; one that lies at ``out`` is replaced whole, at the end.

        Raises UsageError (``out`` exists and is not a bundle), CorruptArtifactError (ONNX and Keras differ).
        """
        out = Path(out)
        refuse_foreign_folder(out)
        with staged_bundle(out) as folder:
            self.write_graphs(folder)
            document = {"system": self.SYSTEM, **self.document()}
            document["parity"] = self.check_parity(folder, document)
            if self.options.keras:
                (folder / "keras").mkdir()
                document |= self.write_keras(folder)
            document = self.settle(folder, document)
            if self.run_dir is not None:
                document |= self._sections(CheckedRun(self.run_dir), document, folder)
            atomic_write_text(folder / CARD, self.card(document, file_table(folder)))
            write_description(folder, document)
        return out

    def _sections(self, run: CheckedRun, document: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """What is learnt of the run's scans for every system alike; their files are written."""
        profiles, found = profiles_of(document), {}
        if document.get(GATE_SECTION) is None:
            found[GATE_SECTION] = fit_section(run, profiles, folder)
        found[SEEN_SECTION] = write_seen(run, document, profiles, folder)
        return {name: entry for name, entry in found.items() if entry is not None}


def save_keras(network: Any, folder: Path, stem: str) -> dict[str, Any]:
    """Store one network as ``keras/<stem>``; returns the entry ``keras`` of ``bundle.json``."""
    from pipeline.models.stored_models import save_model

    files = {"weights": f"keras/{stem}.weights.h5", "architecture": f"keras/{stem}.json"}
    save_model(network, folder / files["weights"], folder / files["architecture"])
    return {"keras": files}
