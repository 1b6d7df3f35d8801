"""Configuration errors name the file, the key, its value and what is allowed."""

from __future__ import annotations

import pytest
from pydantic import Field

from pipeline.engine.config import StageConfig, build_run_config, load_run_config
from pipeline.engine.contract import Stage
from pipeline.engine.errors import ConfigError, UsageError

GOOD = """\
system: toy
description: scans scaled and scored
seed: 7
s01:
  rows: 8
  profiles:
    - {size: 4, modality: ct}
    - {size: 8, modality: xray}
s02: {factor: 2}
s03:
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "toy.yaml"
        path.write_text(text)
        return path

    return write


def test_valid_file(write, toy):
    config = load_run_config(write(GOOD), toy.stages, ["s02.epochs=20", "seed=9"])
    assert (config.system, config.seed, list(config.stages)) == ("toy", 9, ["s01", "s02", "s03"])
    assert config.stages["s01"].profiles[1].size == 8
    assert isinstance(config.stages["s01"].profiles, tuple)
    assert config.stages["s02"].factor == 2.0 and config.stages["s02"].epochs == 20
    assert config.raw["s03"] == {"method": "mean"}
    assert build_run_config(config.raw, toy.stages).stages == config.stages


def test_only_named_stages_belong_to_the_run_in_the_stages_order(write, toy):
    config = load_run_config(write("system: toy\ns02: {}\ns01: {}\n"), toy.stages)
    assert list(config.stages) == ["s01", "s02"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("factor: 2", "facter: 2", r"toy\.yaml line 9: unknown key 's02\.facter'. Did you mean 'factor'"),
        ("size: 8", "sise: 8", r"unknown key 's01\.profiles\.1\.sise'. Did you mean 'size'"),
        ("size: 8", "size: 800", r"s01\.profiles\.1\.size is 800: it must be less than or equal to 64"),
        ("rows: 8", "rows: 0", r"s01\.rows is 0: it must be greater than or equal to 1"),
        ("rows: 8", "rows: '8'", r"s01\.rows is '8': it must be a valid integer"),
        ("rows: 8", "rows: 8.5", r"s01\.rows is 8\.5"),
        ("rows: 8", "rows: true", r"s01\.rows is True"),
        ("factor: 2", "factor: .nan", r"s02\.factor is nan"),
        ("seed: 7", "seed: -1", r"seed is -1.*0 to 2147483647"),
        ("seed: 7", "sede: 7", r"unknown key 'sede'. Did you mean 'seed'"),
        ("s03:", "s3:", r"unknown stage 's3'. Did you mean 's03'"),
        ("s03:", "s03_score:", r"unknown stage 's03_score'. Write 's03'"),
        ("s03:", "s03: 5", r"s03 is 5: it must be a table"),
        ("system: toy", "", r"'system' is missing"),
        ("seed: 7", "seed: 7\nseed: 8", r"not valid YAML.*duplicate"),
        ("seed: 7", "seed: [7", r"line \d+: not valid YAML"),
    ],
)
def test_faults_in_words(write, toy, old, new, words):
    assert old in GOOD
    with pytest.raises(ConfigError, match=words):
        load_run_config(write(GOOD.replace(old, new)), toy.stages)


def test_every_fault_is_named(write, toy):
    text = GOOD.replace("factor: 2", "factor: -2, epochs: 0, spoon: 1")
    with pytest.raises(ConfigError, match=r"unknown key 's02\.spoon'.*Also wrong: s02\.factor, s02\.epochs"):
        load_run_config(write(text), toy.stages)


@pytest.mark.parametrize(
    ("override", "kind", "words"),
    [
        ("s02.epochs", UsageError, "key.path=value"),
        ("s02..epochs=1", UsageError, "key.path=value"),
        ("s05.epochs=1", ConfigError, "no section 's05'"),
        ("s02.epoch=1", ConfigError, "Did you mean 'epochs'"),
        ("s02.epochs=1001", ConfigError, "less than or equal to 1000"),
        ("s02.factor.x=1", ConfigError, "not a table"),
        ("s01.profiles.7.size=1", ConfigError, "position from 0 to 1"),
    ],
)
def test_overrides_that_make_no_sense(write, toy, override, kind, words):
    with pytest.raises(kind, match=words):
        load_run_config(write(GOOD), toy.stages, [override])


def test_override_inside_a_list(write, toy):
    config = load_run_config(write(GOOD), toy.stages, ["s01.profiles.1.size=16"])
    assert [profile.size for profile in config.stages["s01"].profiles] == [4, 16]


def test_missing_file_names_the_nearest(write, toy, tmp_path):
    write(GOOD)
    with pytest.raises(ConfigError, match="Did you mean 'toy.yaml'"):
        load_run_config(tmp_path / "tyo.yaml", toy.stages)


def test_stages_are_checked_against_each_other(toy):
    class Cautious(StageConfig):
        limit: int = Field(5, ge=1)

        def check_with(self, others):
            if others["s01"].rows > self.limit:
                raise ConfigError(f"s04.limit is {self.limit}, but s01.rows is {others['s01'].rows}.")

    guard = Stage("s04_guard", "Guards.", Cautious, lambda c: (), lambda c: (), lambda context: None)
    with pytest.raises(ConfigError, match=r"s04\.limit is 5"):
        build_run_config({"system": "toy", "s01": {}, "s04": {}}, [*toy.stages, guard])
    assert build_run_config({"system": "toy", "s01": {"rows": 5}, "s04": {}}, [*toy.stages, guard])


def test_configurations_are_frozen(toy):
    with pytest.raises(ValueError, match="frozen"):
        toy.config().stages["s01"].rows = 7
