"""What a bundle says against itself: figures of its own test part, known shortcuts with figures that stand elsewhere, limits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline import systems
from pipeline.engine.errors import CorruptArtifactError
from pipeline.inference.bundle import read_description, read_section
from pipeline.inference.trust.audit import AuditSection
from pipeline.inference.trust.card import CARD, limits_on
from pipeline.inference.trust.scored_part import scored_part

ROOT = Path(__file__).resolve().parents[2]
SHORTCUTS = ROOT / "docs" / "shortcuts"
BUNDLES = sorted(path.parent for path in (ROOT / "pretrained").glob("*/bundle.json") if path.parent.name != "gate")


def manifest_of(bundle: Path):
    """Without its files being compared: they are, elsewhere."""
    from pipeline.inference.classifier.bundle import ClassifierManifest
    from pipeline.inference.multitask.bundle import MultitaskManifest
    from pipeline.inference.segmenter.bundle import SegmenterManifest
    from pipeline.inference.vision_text.bundle import FusionManifest

    known = {"classifier": ClassifierManifest, "radiography_unet": SegmenterManifest, "vision_text": FusionManifest,
             "respiratory_mtl": MultitaskManifest}  # fmt: skip
    document = read_description(bundle)
    return known[systems.system_named(document["system"]).name].model_validate(document)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_figures_of_the_test_part_are_those_on_the_card(bundle):
    card, parts = (bundle / CARD).read_text(encoding="utf-8"), manifest_of(bundle).scored_parts()
    assert parts and all(part.rows and "accuracy" in part.figures for part in parts)
    for part in parts:
        for figure in part.figures.values():
            assert figure.low <= figure.value <= figure.high
        told = [f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]" for each in part.figures.values()]
        assert any(figure in card for figure in told), part.modality


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_known_shortcuts_have_their_figures_from_where_they_say(bundle):
    section = read_section(read_description(bundle), "audit", AuditSection)
    assert section is not None and section.shortcuts
    written = json.loads((SHORTCUTS / f"{bundle.name}.json").read_text(encoding="utf-8"))
    assert AuditSection.model_validate(written) == section
    for shortcut in section.shortcuts:
        file = shortcut.source.partition(",")[0]
        source = " ".join((bundle / file if file == CARD else ROOT / file).read_text(encoding="utf-8").split())
        for number in re.findall(r"0\.\d+", shortcut.sentence):
            assert number in source or f"{number.rstrip('0')}" in source, (shortcut.sentence, number)


def test_shares_of_sources_are_the_figures():
    told = manifest_of(ROOT / "pretrained" / "respiratory_mtl").figures["sources"]
    said = " ".join(each["sentence"] for each in json.loads((SHORTCUTS / "respiratory_mtl.json").read_text())["shortcuts"])
    for source, digits in (("cxr_ieee_other", 0), ("cxr_nih", 1), ("ct_covidct", 0)):
        rate = next(each["false_positive_rate"] for each in told if each["source"] == source)
        assert f"{100 * rate['value']:.{digits}f} %" in said, source
        if not digits:
            assert f"[{100 * rate['low']:.0f} %, {100 * rate['high']:.0f} %]" in said, source


def test_limits_are_the_cards_points():
    card = "# A\n\n## Limits\n\n- One, that\n  goes on.\n- Two.\n\n## Files\n\n- no limit\n"
    assert limits_on(card) == ["One, that goes on.", "Two."]
    assert limits_on("# A\n") == limits_on("") == []
    assert limits_on("## Limits\n\n- Last.") == ["Last."]
    assert len(limits_on((BUNDLES[0] / CARD).read_text(encoding="utf-8"))) >= 4


def test_what_has_no_interval_is_no_figure():
    whole = {"value": 0.5, "low": 0.4, "high": 0.6}
    told = {"accuracy": whole, "pooled": 0.9, "per_class": {"A": whole}, "undefined": {"value": 0.5, "low": None, "high": 1.0}}
    part = scored_part("xray", told, 3, None)
    assert list(part.figures) == ["accuracy"] and (part.rows, part.patients) == (3, None)


@pytest.mark.parametrize("entry", [{"shortcuts": [{"sentence": ""}]}, {"shortcuts": "one"}, {"shortcuts": [{}]}, []])
def test_a_section_that_is_none(entry):
    with pytest.raises(CorruptArtifactError):
        read_section({"audit": entry}, "audit", AuditSection)
