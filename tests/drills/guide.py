"""The code of a guide: fenced blocks whose first line names a file, in the order in which they stand.

```python app/services/comments.py      a new file, or more of the one that an earlier block began
```diff app/api/routes/__init__.py      an edit: lines with -, + and a space in front, as in a patch
"""

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(?P<kind>\w+) +(?P<path>\S+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    path: str
    text: str
    is_edit: bool


def blocks(markdown: str) -> list[Block]:
    """Those that name a file; any other code in the text is an illustration."""
    return [Block(found["path"], found["text"], found["kind"] == "diff") for found in _BLOCK.finditer(markdown)]


def follow(steps: list[Block], root: Path) -> None:
    """Writes the new files, and edits those that are there; LookupError when an edit doesn't fit in one place."""
    begun: set[str] = set()
    for step in steps:
        file = root / step.path
        if step.is_edit:
            file.write_text(edited(step, file.read_text()))
        elif step.path in begun:
            file.write_text(f"{file.read_text()}\n\n{step.text}")
        else:
            begun.add(step.path)
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x") as new:
                new.write(step.text)


def edited(step: Block, text: str) -> str:
    """The text after the edits."""
    for edit in re.split(r"^@@.*\n", step.text, flags=re.MULTILINE):
        lines = edit.splitlines(keepends=True)
        before, after = ("".join(line[1:] or "\n" for line in lines if line[0] in f"{sign} \n") for sign in "-+")
        if text.count(before) != 1:
            raise LookupError(f"{step.path} has {text.count(before)} times:\n{before}")
        text = text.replace(before, after)
    return text
