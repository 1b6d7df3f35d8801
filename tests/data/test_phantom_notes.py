"""Notes of phantom patients: repeatable, informative, never certain, and now and then naming the diagnosis."""

from __future__ import annotations

from collections import Counter

from pipeline.data.phantom.lesions import CONDITIONS
from pipeline.data.phantom.notes import write_history


def test_one_seed_gives_one_history():
    assert write_history(5, "covid") == write_history(5, "covid")
    assert len({write_history(seed, "covid").note for seed in range(50)}) > 30


def test_age_and_sex_tell_nothing_of_the_condition():
    for seed in range(30):
        assert len({(write_history(seed, c).age, write_history(seed, c).sex) for c in CONDITIONS}) == 1


def test_findings_lean_towards_their_condition_and_are_found_elsewhere_too():
    counts = {c: Counter() for c in CONDITIONS}
    for condition in CONDITIONS:
        for seed in range(400):
            note = write_history(seed, condition).note
            counts[condition].update(name for name in ("loss of smell", "productive cough", "surgery") if name in note)
    assert counts["covid"]["loss of smell"] > 4 * counts["viral"]["loss of smell"] > 0
    assert counts["bacterial"]["productive cough"] > 4 * counts["covid"]["productive cough"] > 0
    assert counts["normal"]["surgery"] > 10 * counts["covid"]["surgery"] > 0


def test_some_notes_are_missing_and_some_name_the_diagnosis():
    notes = [write_history(seed, "covid").note for seed in range(400)]
    assert 30 < sum(not note for note in notes) < 95
    assert 55 < sum("COVID-19" in note for note in notes) < 120
