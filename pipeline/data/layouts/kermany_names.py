"""What the file names of Kermany's chest X-rays tell: the patient, and whether a pneumonia is bacterial or viral.

Data: Kermany, Zhang & Goldbaum 2018, Mendeley Data rscbjbr9sj; the later version names its files anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NORMAL, PNEUMONIA, BACTERIA, VIRUS = "NORMAL", "PNEUMONIA", "BACTERIA", "VIRUS"

# person88_virus_163; IM-0115-0001 and IM-0439-0001-0002; NORMAL2-IM-1427-0001; VIRUS-1135262-0003
_ILL = re.compile(r"person(\d+)_(bacteria|virus)_\d+", re.IGNORECASE)
_HEALTHY = re.compile(r"((?:NORMAL2-)?IM)-(\d+)(?:-\d+)*", re.IGNORECASE)
_LATER = re.compile(r"(NORMAL|BACTERIA|VIRUS)-(\d+)-\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KermanyName:
    """person: who it is of, `person88`, `IM-0115`, `NORMAL2-IM-1427` or a number alone. label: NORMAL, BACTERIA or VIRUS.

    The set has both `person1000_bacteria_2931` and `person1000_virus_1681`. Whether one child had both, or the numbers
    were given twice, is not documented. `person` takes them for one, so that a split made by it is safe either way;
    `patient` takes them for two.
    """

    person: str
    label: str

    @property
    def patient(self) -> str:
        """`person88_virus`: the person with the organism where the name tells one."""
        return self.person if self.label == NORMAL else f"{self.person}_{self.label.lower()}"


def read_kermany_name(stem: str) -> KermanyName | None:
    """What a file name without its suffix tells; None where it is none of the set's."""
    if found := _ILL.fullmatch(stem):
        return KermanyName(f"person{int(found[1])}", found[2].upper())
    if found := _HEALTHY.fullmatch(stem):
        return KermanyName(f"{found[1].upper()}-{found[2]}", NORMAL)
    if found := _LATER.fullmatch(stem):
        return KermanyName(found[2], found[1].upper())
    return None
