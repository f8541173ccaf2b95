"""The drill "add comments": follow docs/adding-a-resource.md to the letter, in as few files as it promises."""

import sys

from tests.drills.checkout import ROOT, Checkout, drill
from tests.drills.guide import blocks, follow

GUIDE = ROOT / "docs/adding-a-resource.md"
MOST_FILES, MOST_EDITS = 6, 3


def add_comments(checkout: Checkout) -> None:
    steps = blocks(GUIDE.read_text())
    new = {step.path for step in steps if not step.is_edit}
    edits = {step.path for step in steps if step.is_edit}
    sources = {path for path in new if path.startswith("app/")}
    descriptions = {path for path in new if path.startswith("tests/resources/")}
    if len(sources) > MOST_FILES or len(edits) > MOST_EDITS or len(descriptions) != 1:
        sys.exit(f"{GUIDE.name} should take one description, {MOST_FILES} files, {MOST_EDITS} edits: {new}, {edits}")
    follow(steps, checkout.folder)
    checkout.tidy()
    checkout.revision("comments")


if __name__ == "__main__":
    drill(add_comments)
