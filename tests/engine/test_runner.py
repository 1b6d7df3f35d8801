"""Skipping, refusing and forcing on the toy pipeline."""

from __future__ import annotations

import pytest

from pipeline.engine.errors import (
    ConfigError,
    ContractError,
    CorruptArtifactError,
    DataError,
    MissingArtifactError,
    PipelineError,
    StaleArtifactError,
    UsageError,
)

ALL = {"s01", "s02", "s03"}


def ran(actions):
    return {name for name, action in actions.items() if action == "ran"}


def flip_last_byte(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_first_run_runs_and_second_skips(toy):
    assert ran(toy.run()) == ALL
    before = toy.contents((".npy", ".json", ".txt"))
    assert ran(toy.run()) == set()
    assert toy.contents((".npy", ".json", ".txt")) == before


def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(toy, reference):
    toy.run()
    reference.run()
    assert toy.contents((".npy", ".txt")) == reference.contents((".npy", ".txt"))
    assert ran(toy.run(toy.config(seed=6))) == ALL
    assert toy.contents()["s01_scans/scans.npy"] != reference.contents()["s01_scans/scans.npy"]


def test_changed_config_runs_the_stage_and_its_consumers(toy):
    toy.run()
    assert ran(toy.run(toy.config(s02={"epochs": 4}))) == {"s02", "s03"}


def test_consumer_is_skipped_where_the_input_comes_out_the_same(toy):
    toy.run()
    # Another duration of an epoch is another configuration, with the same result.
    assert ran(toy.run(toy.config(s02={"seconds_per_epoch": 0.001}))) == {"s02"}


def test_force_runs_the_selection_only(toy):
    toy.run()
    assert ran(toy.run(only="s02", force=True)) == {"s02"}
    assert ran(toy.run(first="s02", last="s03", force=True)) == {"s02", "s03"}


def test_missing_input_is_refused_with_its_name_and_the_command(toy):
    with pytest.raises(MissingArtifactError, match=r"s02 needs the artifact 'scans'.*--from s01 --to s02"):
        toy.run(only="s02")
    assert not list(toy.folder.glob("s0*"))


def test_stale_input_is_refused_with_what_changed(toy):
    toy.run()
    config = toy.config(s02={"factor": 3.0})
    with pytest.raises(
        StaleArtifactError, match=r"'scaled'.*s02_scale.*factor 2\.0 → 3\.0.*--from s02 --to s03"
    ):
        toy.run(config, only="s03")


def test_stale_far_ancestor_is_refused_even_where_nothing_would_run(toy):
    toy.run()
    with pytest.raises(StaleArtifactError, match=r"s01_scans is stale.*rows 6 → 7.*--from s01 --to s03"):
        toy.run(toy.config(s01={"rows": 7}), only="s03")


def test_ancestor_made_again_alone_makes_the_middle_stale(toy):
    toy.run()
    config = toy.config(s01={"rows": 7})
    toy.run(config, only="s01")
    with pytest.raises(StaleArtifactError, match="s02_scale is stale: input: scans"):
        toy.run(config, only="s03")
    assert ran(toy.run(config)) == {"s02", "s03"}


@pytest.mark.parametrize("selection", [{}, {"only": "s02"}, {"only": "s03"}])
def test_edited_artifact_is_refused(toy, selection):
    toy.run()
    flip_last_byte(toy.folder / "s02_scale/scaled.npy")
    with pytest.raises(CorruptArtifactError, match=r"s02_scale/scaled\.npy.*--only s02 --force"):
        toy.run(**selection)


def test_edited_artifact_of_no_ancestor_does_not_matter(toy):
    toy.run()
    flip_last_byte(toy.folder / "s03_score/score.npy")
    assert ran(toy.run(last="s02")) == set()


def test_force_over_the_producer_mends_an_edit(toy, reference):
    toy.run()
    reference.run()
    flip_last_byte(toy.folder / "s02_scale/scaled.npy")
    assert ran(toy.run(only="s02", force=True)) == {"s02"}
    assert ran(toy.run()) == set()
    assert toy.contents() == reference.contents()


@pytest.mark.parametrize(
    "file", ["s02_scale/scaled.npy", "s02_scale/manifest.json", "s03_score/pieces/b.txt"]
)
def test_missing_file_is_refused_and_force_mends_it(toy, file):
    toy.run()
    (toy.folder / file).unlink()
    with pytest.raises(MissingArtifactError, match=file):
        toy.run()
    toy.run(only=file[:3], force=True)
    assert ran(toy.run()) == set()


def test_unreadable_manifest_is_corrupt(toy):
    toy.run()
    (toy.folder / "s01_scans/manifest.json").write_text("{")
    with pytest.raises(CorruptArtifactError, match=r"s01_scans/manifest\.json"):
        toy.run()


def test_refusal_comes_before_any_work(toy):
    toy.run(last="s02")
    flip_last_byte(toy.folder / "s02_scale/scaled.npy")
    before = (toy.folder / "s01_scans/manifest.json").stat().st_mtime_ns
    with pytest.raises(CorruptArtifactError):
        toy.run(toy.config(s01={"rows": 7}))
    assert (toy.folder / "s01_scans/manifest.json").stat().st_mtime_ns == before


def test_scans_that_changed_stale_their_stage(toy, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.bin").write_bytes(b"\x01")
    config = toy.config(s01={"folder": True})
    assert ran(toy.run(config, data=data)) == ALL
    assert ran(toy.run(config)) == set(), "the folder of the last call is remembered"
    (data / "a.bin").write_bytes(b"\x02\x02")
    with pytest.raises(StaleArtifactError, match="s01_scans is stale: data"):
        toy.run(config, only="s02")
    assert ran(toy.run(config)) == ALL


def test_moved_scans_are_not_changed_scans(toy, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.bin").write_bytes(b"\x01")
    config = toy.config(s01={"folder": True})
    toy.run(config, data=tmp_path / "data")
    moved = (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert ran(toy.run(config, data=moved)) == set()


def test_scans_that_are_gone_stop_their_stage_but_not_later_ones(toy, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.bin").write_bytes(b"\x01")
    config = toy.config(s01={"folder": True})
    toy.run(config, data=tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert ran(toy.run(config, first="s02")) == set()
    with pytest.raises(DataError, match="--data"):
        toy.run(config)
    with pytest.raises(DataError, match="no data folder"):
        toy.run(config, first="s02", data=tmp_path / "data")


def test_the_data_folder_is_left_as_it_was(toy, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.bin").write_bytes(b"\x01")
    (data / "a.bin").chmod(0o400)
    data.chmod(0o500)
    before = [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.glob("data/**"))]
    toy.run(toy.config(s01={"folder": True}), data=data)
    assert [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.glob("data/**"))] == before


def test_flags_reach_the_stage_and_warnings_are_kept(toy):
    from pipeline.engine.rundir import RunDirectory

    toy.run(flags=frozenset({"allow-odd"}))
    assert RunDirectory(toy.folder).warnings() == ["s01_scans: odd rows were allowed"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"only": "s2"}, "Did you mean 's02'"),
        ({"first": "s03", "last": "s01"}, "after"),
        ({"only": "s02", "first": "s01"}, "--only"),
    ],
)
def test_selections_that_make_no_sense(toy, options, words):
    with pytest.raises(UsageError, match=words):
        toy.run(**options)


def test_required_input_without_its_stage_is_a_config_error(toy):
    from pipeline.engine.config import build_run_config

    with pytest.raises(ConfigError, match=r"'scans'.*s01"):
        toy.run(build_run_config({"system": "toy", "s02": {}}, toy.stages))


def test_failed_stage_leaves_the_old_artifacts(toy, monkeypatch):
    toy.run()
    before = toy.contents()
    monkeypatch.setattr("pipeline.engine.context.Context.save_json", fail)
    with pytest.raises(DataError, match="on purpose"):
        toy.run(only="s02", force=True)
    assert toy.contents() == before
    assert not (toy.folder / ".staging/s02_scale").exists()


def fail(*_):
    raise DataError("failed on purpose")


def test_undeclared_and_forgotten_outputs_are_bugs_of_the_stage(toy, monkeypatch):
    from pipeline.engine.context import Context

    monkeypatch.setattr(Context, "save_json", lambda self, name, value: None)
    with pytest.raises(ContractError, match="without writing 'scale_log'"):
        toy.run()
    monkeypatch.setattr(Context, "save_json", lambda self, name, value: write_two(self.output(name)))
    with pytest.raises(ContractError, match="extra"):
        toy.run()


def write_two(path):
    path.write_text("{}")
    path.with_name("extra.json").write_text("{}")


def test_error_text_is_message_and_remedy_in_two_lines_at_most(toy):
    with pytest.raises(PipelineError) as caught:
        toy.run(only="s03")
    assert str(caught.value) == f"{caught.value.message} {caught.value.remedy}"
    assert "\n" not in str(caught.value)
