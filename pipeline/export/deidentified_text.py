"""What a run says, for whoever gets its bundle: no scan, no patient and no file by name, for a name may tell who it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

# Fewer letters are not replaced: they would be found in words and counts, and tell nobody.
SHORTEST = 3
# Lists at the ends of sentences, and first ones: files that are no scans of the run, and ids of patients however short.
_FIRST = re.compile(r" \(first: .*?\)(?=[.;]| Scores|$)")
_NAMED = re.compile(r"(are passed over|are left out|or a final \.0 only): .*$", re.DOTALL)


def deidentified(texts: Sequence[str], scans: Iterable[Mapping[str, str]]) -> list[str]:
    """The sentences with each scan and each patient told by its place in the index: ``scan 7 = scan 26``, ``patient 3``.

    scans: the rows of ``scan_index.csv``, of which ``id`` and ``patient_id`` are read.
    """
    texts = [_NAMED.sub(r"\1.", _FIRST.sub("", text)) for text in texts]
    places: dict[str, str] = {}
    patients: dict[str, int] = {}
    for number, scan in enumerate(scans, start=1):
        patient = patients.setdefault(scan["patient_id"], len(patients) + 1)
        for name, place in ((scan["id"], f"scan {number}"), (scan["patient_id"], f"patient {patient}")):
            if len(name) >= SHORTEST and any(name in text for text in texts):
                places.setdefault(name, place)
    if not places:
        return texts
    longest_first = "|".join(re.escape(name) for name in sorted(places, key=len, reverse=True))
    named = re.compile(rf"(?<!\w)(?:{longest_first})(?!\w)")
    return [named.sub(lambda found: places[found[0]], text) for text in texts]
