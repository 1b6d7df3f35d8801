"""The sentence on alignment rests on the strongest probe and claims no more than it says."""

import pytest

from pipeline.evaluation.comparison.alignment_words import alignment_sentence, is_hidden
from pipeline.evaluation.comparison.variants import objective_in


def scores(**values: float) -> dict:
    told = {name: {"value": value, "low": value - 0.05, "high": value + 0.05} for name, value in values.items()}
    probes = {name: {"balanced_accuracy": interval} for name, interval in told.items()}
    return {"probes": probes, "strongest": max(values, key=values.get), "floor": 0.5}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"raw": scores(linear=0.9)}, "was not part of this run"),
        ({"raw": scores(linear=0.9), "adversarial": scores(linear=0.55, mlp=0.8)}, "still shows"),
        ({"raw": scores(linear=0.9), "adversarial": scores(linear=0.55, mlp=0.57)}, "hide the modality"),
        ({"raw": scores(linear=0.55), "adversarial": scores(linear=0.55)}, "the credit is open"),
        ({"adversarial": scores(linear=0.55)}, "hide the modality"),
    ],
)
def test_the_sentence_claims_no_more_than_the_strongest_probe(given, said):
    assert said in alignment_sentence(given)


def test_the_strongest_probe_is_named_with_its_interval():
    sentence = alignment_sentence({"raw": scores(linear=0.9), "adversarial": scores(linear=0.6, neighbours=0.72)})
    assert "5 nearest neighbours" in sentence and "0.720 [0.670, 0.770]" in sentence


def test_a_tenth_above_the_floor_is_the_end_of_hidden():
    assert is_hidden(scores(linear=0.6)) and not is_hidden(scores(linear=0.601))


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ({"objective": "sound", "warmup_epochs": 5, "hold_epochs": 3, "tolerance": 0.05}, "inverted"),
        ({"objective": "sound", "probe_every": 5}, "sound"),
        ({"objective": "original"}, "original"),
    ],
)
def test_what_was_called_sound_before_goes_by_its_present_name(section, name):
    assert objective_in(section) == name
