"""docs/outputs.md, read: which files a command writes and which columns a table has, to be held against what there is."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "outputs.md"
COLUMNS, FILES = "| column | unit | meaning |", "| file | what it is |"


def sections() -> dict[str, str]:
    """Heading → what stands below it, until the next heading."""
    parts = re.split(r"^#+ +(.+?) *$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows_below(heading: str, header: str) -> dict[str, bool]:
    """What the first column of a section's table names → whether it is there always: what begins with "Only" is not."""
    lines = sections()[heading].splitlines()
    assert header in lines, f"{heading}: no table {header}"
    found = {}
    for line in lines[lines.index(header) + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        found |= {name: not cells[-1].startswith("Only ") for name in re.findall(r"`([^`]+)`", cells[0])}
    return found


def tables() -> set[str]:
    """The headings of all tables of columns."""
    return {heading for heading, text in sections().items() if COLUMNS in text}


def check(heading: str, header: str, found: Iterable[str]) -> set[str]:
    """Raise AssertionError where something found is not told, or what is told of always was not found; returns what matched."""
    told, matched, unknown = rows_below(heading, header), set(), []
    for name in found:
        mine = [pattern for pattern in told if _matches(pattern, name)]
        matched |= set(mine)
        unknown += [] if mine else [name]
    assert not unknown, f"docs/outputs.md, {heading}: says nothing of {', '.join(unknown)}"
    missing = [name for name, always in told.items() if always and name not in matched]
    assert not missing, f"docs/outputs.md, {heading}: tells of {', '.join(missing)}, which is not there"
    return matched


def check_table(path: Path, heading: str) -> set[str]:
    """`check` of a CSV's columns."""
    with path.open(encoding="utf-8", newline="") as stream:
        return check(heading, COLUMNS, next(csv.reader(stream)))


def check_run(run: Path) -> set[str]:
    """`check_table` of every table that the stages of a run have written; returns the headings."""
    headings = {}
    for path in sorted(run.glob("s[0-9][0-9]_*/**/*.csv")):
        stage = path.relative_to(run).parts[0][:3]
        headings[f"`{path.name}` of `{stage}`"] = path
    for heading, path in headings.items():
        check_table(path, heading)
    return set(headings)


def _matches(pattern: str, name: str) -> bool:
    """Whether a name is what the pattern says, where <…> stands for anything."""
    parts = re.split(r"(<.+?>)", pattern)
    return re.fullmatch("".join(".+" if part.startswith("<") else re.escape(part) for part in parts), name) is not None
