"""What the documents link to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "recipes/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def anchors_of(path):
    """What headings are linked by: lower case, hyphens for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    prose = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        place, _, anchor = link.partition("#")
        if not place.startswith("http"):
            target = document.parent / place if place else document
            assert target.exists(), link
            assert not anchor or anchor in anchors_of(target), link


def test_links_are_found_at_all():
    assert sum(len(re.findall(r"\]\([^h)]", path.read_text(encoding="utf-8"))) for path in DOCUMENTS) > 20
