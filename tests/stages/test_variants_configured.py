"""Which arms s04 trains: named, each once, and settings of a former name told by their present one."""

from __future__ import annotations

import pytest

from pipeline.engine.config import build_run_config
from pipeline.engine.errors import ConfigError
from stages import STAGES


def configured(**section):
    return build_run_config({"system": "test", "s04": section}, STAGES).stages["s04"]


def test_three_arms_where_nothing_is_said():
    assert configured().variants == ("plain", "adversarial", "erased")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"variant": "both"}, "variants"),
        ({"variants": ["plain", "adverserial"]}, "adversarial"),
        ({"variants": ["plain", "plain"]}, "each once"),
        ({"variants": []}, "at least one"),
        ({"adversarial": {"warmup_epochs": 5}}, "was called 'sound' before"),
        ({"adversarial": {"objective": "sound", "hold_epochs": 4}}, "write objective: inverted"),
    ],
)
def test_a_wrong_choice_is_told_with_what_it_should_be(section, said):
    with pytest.raises(ConfigError, match=said):
        configured(**section)


def test_the_former_objective_goes_by_its_present_name():
    assert configured(adversarial={"objective": "inverted", "warmup_epochs": 5}).adversarial.objective == "inverted"
