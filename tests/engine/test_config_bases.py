"""Configurations that build upon others: what is merged, where each value comes from, and what is refused."""

from __future__ import annotations

import os
import re

import pytest

from pipeline.engine.config import StageConfig, build_run_config, load_run_config
from pipeline.engine.contract import Stage
from pipeline.engine.errors import ConfigError

BASE = """\
system: toy
description: scans scaled and scored
seed: 7
s01:
  rows: 8
  profiles:
    - {size: 4, modality: ct}
    - {size: 8, modality: xray}
s02: {factor: 2, epochs: 5}
s03:
"""


@pytest.fixture
def write(tmp_path):
    """Write files by name, in folders too; returns the first one's path."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return tmp_path / f"{next(iter(files)).replace('__', '/')}.yaml"

    return write


def test_tables_are_merged_and_all_else_is_replaced(write, toy):
    own = "base: base.yaml\nseed: 8\ns01:\n  profiles: [{size: 16}]\ns02:\n  epochs: 6\n"
    config = load_run_config(write(own=own, base=BASE), toy.stages)
    assert (config.system, config.description, config.seed) == ("toy", "scans scaled and scored", 8)
    assert config.raw["s01"] == {"rows": 8, "profiles": [{"size": 16, "modality": "ct"}], "folder": False}
    assert (config.stages["s02"].factor, config.stages["s02"].epochs) == (2, 6)
    assert list(config.stages) == ["s01", "s02", "s03"]


def test_every_value_knows_where_it_was_written(write, toy):
    own = write(own="base: mid.yaml\ns02:\n  epochs: 6\n", mid="base: base.yaml\nseed: 9\n", base=BASE)
    tree = load_run_config(own, toy.stages, ["s01.rows=9"]).written
    places = {path: str(tree.at(path.split(".")).origin) for path in ("seed", "s02.epochs", "s02.factor", "s01.rows")}
    folder = own.parent
    assert places == {
        "seed": f"{folder}/mid.yaml:2", "s02.epochs": f"{folder}/own.yaml:3", "s02.factor": f"{folder}/base.yaml:9",
        "s01.rows": "--set",
    }  # fmt: skip
    assert tree.at(("s01", "profiles", 1, "size")).origin.line == 8
    assert tree.at(("s02", "seconds_per_epoch")) is None and tree.at(("base",)) is None


def test_what_comes_by_alias_or_merge_key_has_the_line_where_it_stands(write, toy):
    text = "system: toy\ns01: {}\ns02: &fit\n  factor: 3\n  epochs: 4\ns03: {}\n"
    own = "base: base.yaml\ns02:\n  <<: {epochs: 9, seconds_per_epoch: 0.5}\n  epochs: 10\n"
    config = load_run_config(write(own=own, base=text), toy.stages)
    assert config.raw["s02"] == {"factor": 3.0, "epochs": 10, "seconds_per_epoch": 0.5}
    lines = {key: str(inner.origin).rpartition("/")[2] for key, inner in config.written.at(("s02",)).value.items()}
    assert lines == {"factor": "base.yaml:4", "epochs": "own.yaml:4", "seconds_per_epoch": "own.yaml:3"}


def test_a_base_is_relative_to_the_file_that_names_it(write, toy):
    own = write(mine__own="base: ../shared/mid.yaml\n", shared__mid="base: deep.yaml\ns02: {epochs: 1}\n", shared__deep=BASE)
    assert load_run_config(own, toy.stages).stages["s02"].epochs == 1


def test_a_base_may_lack_what_only_the_whole_must_have(write, toy):
    own = write(own="base: part.yaml\nsystem: toy\ns01: {rows: 3}\n", part="seed: 4\ns02: {epochs: 2}\n")
    config = load_run_config(own, toy.stages)
    assert (config.seed, list(config.stages)) == (4, ["s01", "s02"])
    with pytest.raises(ConfigError, match=r"part\.yaml: 'system' is missing"):
        load_run_config(own.parent / "part.yaml", toy.stages)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("s02:", {"factor": 2.0, "epochs": 5, "seconds_per_epoch": 0.0}),
        ("s02: !override {epochs: 6}", {"factor": 2.0, "epochs": 6, "seconds_per_epoch": 0.0}),
        ("s02: !override {factor: 9}", {"factor": 9.0, "epochs": 3, "seconds_per_epoch": 0.0}),
        ("s02: {epochs: !reset }", {"factor": 2.0, "epochs": 3, "seconds_per_epoch": 0.0}),
        ("s02: {epochs: !reset null}", {"factor": 2.0, "epochs": 3, "seconds_per_epoch": 0.0}),
        ("s02: {<<: {epochs: 6}, factor: !override 4}", {"factor": 4.0, "epochs": 6, "seconds_per_epoch": 0.0}),
        ("s02: !reset", None),
    ],
)
def test_what_an_own_section_does_to_the_bases(write, toy, own, expected):
    config = load_run_config(write(own=f"base: base.yaml\n{own}\n", base=BASE), toy.stages)
    assert config.raw.get("s02") == expected


def test_set_comes_after_merging(write, toy):
    own = write(own="base: base.yaml\ns02: {epochs: 6}\n", base=BASE)
    assert load_run_config(own, toy.stages, ["s02.factor=3", "s02.epochs=!reset"]).raw["s02"]["epochs"] == 3
    with pytest.raises(ConfigError, match=r"--set 's02.epohcs=!reset': there is no 'epohcs' to take out. Did you mean 'epochs'"):
        load_run_config(own, toy.stages, ["s02.epohcs=!reset"])


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("bsae.yaml", r"own\.yaml line 2: base is 'bsae\.yaml': .*no such file.* Did you mean 'base\.yaml'.*relative"),
        ("folder", r"own\.yaml line 2: base is 'folder': .*is a directory"),
        (".", r"own\.yaml line 2: .*is a directory"),
        ("[base.yaml]", r"own\.yaml line 2: base is \['base\.yaml'\]: it must be the name of one file.* take the line out"),
        ("{a: b}", r"own\.yaml line 2: base is \{'a': 'b'\}: it must be the name"),
        ("null", r"own\.yaml line 2: base is None: it must be the name"),
        ("", r"own\.yaml line 2: base is None"),
        ("!reset", r"own\.yaml line 2: base is None"),
        ("5", r"own\.yaml line 2: base is 5"),
        ("''", r"own\.yaml line 2: base is '': it names no file"),
        ("/etc/base.yaml", r"own\.yaml line 2: base is '/etc/base\.yaml': it must be relative"),
        ("'C:/base.yaml'", r"own\.yaml line 2: .*it must be relative"),
        ("mine\\base.yaml", r"own\.yaml line 2: .*divided by /"),
        ('"a\\0b"', r"own\.yaml line 2: .*null byte"),
        ("x" * 300, r"own\.yaml line 2: .*too long"),
        ("empty.yaml", r"own\.yaml line 2: base is 'empty\.yaml': .*empty\.yaml: it is empty"),
        ("list.yaml", r"own\.yaml line 2: .*list\.yaml: not a table"),
        ("latin.yaml", r"own\.yaml line 2: .*not UTF-8"),
        ("tab.yaml", r"tab\.yaml line 3: not valid YAML: found character '\\t'"),
        ("other.yaml", r"own\.yaml line 1: system is 'toy', and the base's is 'another' \(.*other\.yaml line 3\)"),
        ("own.yaml", r"own\.yaml line 2: base leads back .*own\.yaml → .*own\.yaml"),
        ("./own.yaml", r"own\.yaml line 2: base leads back"),
        ("back.yaml", r"back\.yaml line 1: base leads back .*own\.yaml → .*back\.yaml → .*own\.yaml"),
        ("link.yaml", r"own\.yaml line 2: base leads back"),
    ],
)
def test_bases_that_are_refused(write, toy, tmp_path, named, words):
    own = write(
        own=f"system: toy\nbase: {named}\ns01: {{}}\n", base=BASE, empty="# nothing\n", list="- a\n",
        tab="s01:\n  rows: 8\n\tseed: 1\n", other="# another\n\nsystem: another\n", back="base: own.yaml\n",
    )  # fmt: skip
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.yaml").write_bytes("description: é\n".encode("latin-1"))
    os.symlink("own.yaml", tmp_path / "link.yaml")
    with pytest.raises(ConfigError, match=words):
        load_run_config(own, toy.stages)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("s02: {facter: 2}", r"own\.yaml line 2: unknown key 's02\.facter'. Did you mean 'factor'"),
        ("s02: {epochs: 0}", r"own\.yaml line 2: s02\.epochs is 0"),
        ("s02: 5", r"own\.yaml line 2: s02 is 5, and in the base a table of keys \(.*base\.yaml line 9\)\. .*!override"),
        ("s02: {epochs: {a: 1}}", r"own\.yaml line 2: s02\.epochs is a table of keys, and in the base 5 \(.*base\.yaml line 9\)"),
        ("s01: {profiles: {a: 1}}", r"own\.yaml line 2: s01\.profiles is a table of keys, and in the base \["),
        ("seed: {a: 1}", r"own\.yaml line 2: seed is a table of keys, and in the base 7"),
        ("s02: [1]", r"own\.yaml line 2: s02 is \[1\], and in the base a table"),
        ("s02: !override 5", r"own\.yaml line 2: s02 is 5: it must be a table"),
        ("s02: {epcohs: !reset null}", r"own\.yaml line 2: !reset of s02\.epcohs, which .* not have. Did you mean 'epochs'"),
        ("s02: {epochs: [!reset ]}", r"own\.yaml line 2: !reset of s02\.epochs\.0"),
        ("s02: {epochs: !reset 5}", r"own\.yaml line 2: !reset takes a key out and has no value"),
        ("s02: {epochs: 1, epochs: 2}", r"own\.yaml line 2: not valid YAML: duplicate key 'epochs', first in line 2"),
        ("bsae: x.yaml", r"own\.yaml line 2: unknown key 'bsae'. Did you mean 'base'"),
        ("s2: {}", r"own\.yaml line 2: unknown stage 's2'"),
        ("seed: -1", r"own\.yaml line 2: seed is -1"),
        ("system:", r"own\.yaml line 2: system is None, and the base's is 'toy'"),
    ],
)
def test_faults_over_a_base_name_file_and_line(write, toy, own, words):
    with pytest.raises(ConfigError, match=words):
        load_run_config(write(own=f"base: base.yaml\n{own}\n", base=BASE), toy.stages)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("factor: 2", "facter: 2", r"base\.yaml line 9: unknown key 's02\.facter'. Did you mean 'factor'"),
        ("size: 8", "sise: 8", r"base\.yaml line 8: unknown key 's01\.profiles\.1\.sise'. Did you mean 'size'"),
        ("rows: 8", "rows: {}", r"base\.yaml line 5: s01\.rows is \{\}"),
        ("s03:", "s3:", r"base\.yaml line 10: unknown stage 's3'"),
        ("seed: 7", "seed: 7\nseed: 8", r"base\.yaml line 4: not valid YAML: duplicate key 'seed', first in line 3"),
        ("s03:", "s03: !reset", r"base\.yaml line 10: !reset of s03, which the base does not have"),
    ],
)
@pytest.mark.parametrize("depth", [1, 2])
def test_faults_in_the_base_name_the_base(write, toy, old, new, words, depth):
    assert old in BASE
    named = {1: "base.yaml", 2: "mid.yaml"}[depth]
    own = write(own=f"base: {named}\n", mid="base: base.yaml\n", base=BASE.replace(old, new))
    with pytest.raises(ConfigError, match=words):
        load_run_config(own, toy.stages)


def test_a_fault_in_another_file_is_named_with_it(write, toy):
    own = write(own="base: base.yaml\ns02: {spoon: 1}\n", base=BASE.replace("epochs: 5", "epochs: 0"))
    with pytest.raises(ConfigError, match=r"own\.yaml line 2: unknown key.*Also wrong: s02\.epochs \(.*base\.yaml line 9\)"):
        load_run_config(own, toy.stages)
    with pytest.raises(ConfigError, match=r"--set 's02\.factor=0': s02\.factor is 0"):
        load_run_config(write(base=BASE), toy.stages, ["s02.factor=0"])


def test_a_run_of_the_flat_file_is_not_stale_for_the_file_with_a_base(write, toy):
    flat = write(flat=BASE.replace("epochs: 5", "epochs: 6"))
    assert set(toy.run(load_run_config(flat, toy.stages)).values()) == {"ran"}
    manifests = {path: path.read_bytes() for path in toy.folder.glob("*/manifest.json")}
    own = write(own="base: base.yaml\ns02: {epochs: 6}\n", base=BASE)
    assert set(toy.run(load_run_config(own, toy.stages)).values()) == {"skipped"}
    assert manifests == {path: path.read_bytes() for path in toy.folder.glob("*/manifest.json")} and len(manifests) == 3
    assert toy.run(load_run_config(own, toy.stages, ["s02.epochs=7"])) == {"s01": "skipped", "s02": "ran", "s03": "ran"}


def test_a_recorded_configuration_is_read_from_the_record(write, toy):
    import json

    from pipeline.engine.record import recorded_config

    own = write(own="base: base.yaml\n", base=BASE)
    toy.run(load_run_config(own, toy.stages))
    own.unlink()
    assert recorded_config(toy.folder, toy.stages).stages["s02"].epochs == 5
    record = json.loads((toy.folder / "run.json").read_text())
    record["config"]["s02"]["epohcs"] = 1
    (toy.folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=re.escape(f"{toy.folder}/run.json: unknown key 's02.epohcs'")):
        recorded_config(toy.folder, toy.stages)


def test_a_table_that_was_not_read_from_a_file_has_no_base(toy):
    with pytest.raises(ConfigError, match="configuration: unknown key 'base'"):
        build_run_config({"system": "toy", "base": "x.yaml", "s01": {}}, toy.stages)


def test_sections_that_contradict_each_other_are_told_with_the_line_of_the_setting(write, toy):
    class Cautious(StageConfig):
        limit: int = 5

        def check_with(self, others):
            raise ConfigError(f"s04.limit is {self.limit}, but s01.rows is {others['s01'].rows}.", "Change one of them.")

    guard = Stage("s04_guard", "Guards.", Cautious, lambda c: (), lambda c: (), lambda context: None)
    own = write(own="base: base.yaml\ns04: {limit: 7}\n", base=BASE)
    with pytest.raises(ConfigError, match=r"own\.yaml line 2: s04\.limit is 7, but s01\.rows is 8\. Change one of them\."):
        load_run_config(own, [*toy.stages, guard])
    with pytest.raises(ConfigError, match=r"base\.yaml line 11: s04\.limit is 5"):
        load_run_config(write(own="base: base.yaml\n", base=f"{BASE}s04:\n"), [*toy.stages, guard])
