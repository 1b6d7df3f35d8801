"""What a bundle repeats of its run names no scan, no patient and no other file."""

from __future__ import annotations

import pytest

from pipeline.data.scans import Scan
from pipeline.data.splitting.leakage import Leakage, NearPair
from pipeline.export.deidentified_text import deidentified

ROWS = [{"id": f"TB/{name}/IM1", "patient_id": name} for name in ("DOE^JOHN", "19450612", "P7", "7")]


def scan(number: int) -> Scan:
    return Scan(ROWS[number]["id"], None, "xray", "ab"[number % 2], ROWS[number]["patient_id"], ("train", "test")[number % 2])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 pair is one: TB/DOE^JOHN/IM1 = TB/P7/IM1 (mirrored).", "1 pair is one: scan 1 = scan 3 (mirrored)."),
        ("scans: left out are sidecars: 1 (first: DOE^JOHN/x.txt); hidden files: 2 (first: a (b)/.c).",
         "scans: left out are sidecars: 1; hidden files: 2."),
        ("TB: 2 masks without a scan are passed over: DOE.2, x.", "TB: 2 masks without a scan are passed over."),
        ("7 of 19450612 scans", "7 of patient 2 scans"),
        ("7 P7x scans have no id, 3 are left out (their patient is in test).",
         "7 P7x scans have no id, 3 are left out (their patient is in test)."),
    ],
)  # fmt: skip
def test_names_give_way_to_places_in_the_index(text, said):
    assert deidentified([text], ROWS) == [said]


def test_nothing_that_leakage_says_names_anybody():
    leakage = Leakage(
        {"DOE^JOHN": ("train", "test")}, [tuple(row["id"] for row in ROWS)], [], [],
        [NearPair(scan(0), scan(1), 0.99, "")], [("7", "7.0"), ("P7", "p 7")],
    )  # fmt: skip
    said = [*leakage.sentences(), *leakage.spelling_sentences(), *leakage.near_sentences()]
    said += [f"LEAKAGE allowed: {sentence} Scores on this split are flattered." for sentence in leakage.sentences()]
    told = deidentified(said, ROWS)
    assert len(told) == 7 and not any(name in text for text in told for name in ("DOE", "19450612", "IM1", "P7", "p 7", "= 7"))
    assert told[0] == "1 patient is on more than one side of the split." and "scan 1 = scan 2" in told[3]
    assert told[5] == "LEAKAGE allowed: 1 patient is on more than one side of the split. Scores on this split are flattered."
