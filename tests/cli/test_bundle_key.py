"""A run's bundle is made again when what makes it has changed: code, or the templates of its card."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pipeline.cli import bundle_source


@pytest.mark.parametrize(("file", "counts"), [("deep/graphs.py", True), ("deep/card.md.j2", True), ("deep/graphs.pyc", False)])
def test_every_source_below_the_exporter_counts(tmp_path, monkeypatch, file, counts):
    (tmp_path / "exporter_of_keys" / "deep").mkdir(parents=True)
    (tmp_path / "exporter_of_keys" / "__init__.py").write_text("")
    monkeypatch.setattr(bundle_source, "EXPORTER", tmp_path / "exporter_of_keys")
    run = SimpleNamespace(manifests={"s05": SimpleNamespace(outputs={"heads": SimpleNamespace(sha256="1")})})
    before = bundle_source.key_of_run(run, bundle_source._sources())
    (tmp_path / "exporter_of_keys" / file).write_text("changed")
    assert (bundle_source.key_of_run(run, bundle_source._sources()) != before) == counts
