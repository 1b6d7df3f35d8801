"""README, guides and configurations point at what is there: files, pictures and headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """A page without its code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs both make them."""
    found = re.findall(r"^#+ +(.+?) *$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower())).strip("-") for heading in found}


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page))):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in headings(target)):
            wrong.append(link)
    return wrong


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page):
    assert broken(page) == []


@pytest.mark.parametrize("page", [page for page in PAGES if DOCS in page.parents], ids=name_of)
def test_a_page_of_the_site_links_only_what_the_site_has(page):
    links = [link for link in LINK.findall(prose(page)) if "://" not in link]
    assert [link for link in links if not (page.parent / link).resolve().is_relative_to(DOCS)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if DOCS in page.parents], ids=name_of)
def test_a_page_can_be_reached_from_the_readme(page):
    seen, ahead = set(), [ROOT / "README.md", DOCS / "index.md"]
    while ahead:
        here = ahead.pop()
        if here in seen or here.suffix != ".md" or not here.exists():
            continue
        seen.add(here)
        ahead += [(here.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(here)) if "://" not in link]
    assert page in seen or page.name.endswith("_data_terms.md")


def test_pages_that_configurations_and_code_name_exist():
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for folder in ("configs", "pipeline", "stages")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in (".py", ".yaml")
        for name in re.findall(r"\bdocs/[\w/]+\.md", path.read_text(encoding="utf-8"))
    }
    assert named and [pair for pair in sorted(named) if not (ROOT / pair[1]).exists()] == []


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    links = "[a](page.md) [b](#one-two) [c](gone.md) [d](#three) ![e](gone.png) `[f](code.md)`"
    page.write_text(f"# One two\n{links}\n```\n[g](x.md)\n```\n")
    assert broken(page) == ["gone.md", "#three", "gone.png"]
