"""What a bundle of the respiratory-scan pipeline says beside what every bundle says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from pipeline.data.preprocessing import Profile
from pipeline.inference.answers import TITLES
from pipeline.inference.bundle import Bundle, Entry, Manifest
from pipeline.inference.trust.scored_part import ScoredPart, part_of, scored_part

Modality = Annotated[str, Field(pattern="^(xray|ct)$")]


class Backbone(Entry):
    """A frozen backbone: image (B, size, size, 1) float32 in [0, 1] → features (B, feature_width)."""

    file: str
    size: int = Field(ge=1)
    feature_width: int = Field(ge=1)


class Embedder(Entry):
    """Which backbone looks at the scan, preprocessed by which profile."""

    backbone: str
    profile: str


class Embedders(Entry):
    """A modality's two embedders."""

    task: Embedder
    shared: Embedder


class ModalityNetwork(Entry):
    """Everything behind the backbones of one modality: both extractors and the head in one graph."""

    network: str
    embedders: Embedders


class PairedNetwork(Entry):
    """The head on both modalities' joint features."""

    network: str


class MultitaskManifest(Manifest):
    """`bundle.json`, as far as predicting needs it.

    probability_output: of the networks, (B, 1) of the positive class of two or (B, K) of K classes; bundles that do not say it
    are of the first kind, made for COVID alone. Of more than two classes the most probable one is named, without a threshold.
    """

    variant: str
    probability_output: str = "covid_probs"
    profiles: dict[str, Profile]
    backbones: dict[str, Backbone]
    modalities: dict[Modality, ModalityNetwork] = Field(min_length=1)
    paired: PairedNetwork | None = None

    def check_parts(self) -> None:
        if len(self.class_names) == 2 and (self.positive_class is None or self.threshold is None):
            raise ValueError("of two classes one is positive, from a threshold on: positive_class and threshold are needed")
        if len(self.class_names) > 2 and self.threshold is not None:
            raise ValueError(f"a threshold decides between two classes, class_names has {len(self.class_names)}")
        for modality, network in self.modalities.items():
            for embedder in (network.embedders.task, network.embedders.shared):
                backbone, profile = self.backbones.get(embedder.backbone), self.profiles.get(embedder.profile)
                if backbone is None or profile is None:
                    raise ValueError(f"{modality}: backbone or profile of an embedder is not declared: {embedder}")
                if backbone.size != profile.size or profile.modality != modality:
                    raise ValueError(f"{modality}: profile {embedder.profile!r} does not fit backbone {embedder.backbone!r}")

    def needed_files(self) -> list[str]:
        return self.graphs(self.modalities)

    def graphs(self, modalities: Iterable[str]) -> list[str]:
        """The ONNX files that answers of these modalities need, each once, backbones first; `paired` for both."""
        wanted = [self.modalities[name] for name in modalities if name in self.modalities]
        pairs = [embedder for network in wanted for embedder in (network.embedders.task, network.embedders.shared)]
        files = [self.backbones[embedder.backbone].file for embedder in pairs] + [network.network for network in wanted]
        if len(wanted) == 2 and self.paired is not None:
            files.append(self.paired.network)
        return list(dict.fromkeys(files))

    def scored_parts(self) -> tuple[ScoredPart, ...]:
        rows = {name: part_of(self.figures, "test_rows", name) for name in TITLES}
        scored = {name: self.test_metrics(name) for name in TITLES}
        return tuple(
            scored_part(name, metrics, rows[name].get("rows"), rows[name].get("clusters"))
            for name, metrics in scored.items() if metrics
        )  # fmt: skip

    @property
    def has_figures(self) -> bool:
        """Whether it is recorded how it did on the test part of the run that it came from."""
        return bool(self._of_test_part)

    def test_metrics(self, modality: str) -> dict[str, dict[str, float | None]]:
        """{metric: {"value", "low", "high"}} on the test part of the run it came from, of these very weights where these have
        been scored, else of whatever `basis` says; {} where not recorded."""
        recorded: dict[str, Any] = self._of_test_part.get(modality, {})
        return {name: interval for name, interval in recorded.items() if isinstance(interval, dict)}

    @property
    def _of_test_part(self) -> dict[str, Any]:
        return self.figures.get("shipped") or self.figures.get("test") or {}


MultitaskBundle = Bundle[MultitaskManifest]
