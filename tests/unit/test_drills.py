"""What the drills are made of: reading a guide, and taking code out of a checkout."""

from pathlib import Path

import pytest

from tests.drills.checkout import Checkout
from tests.drills.guide import Block, blocks, follow

GUIDE = """
First the service, with a constant:

```python app/services/comments.py
MOST = 3
```

An illustration:

```python
MOST = 4
```

and its function.

```python app/services/comments.py
def most() -> int:
    return MOST
```

```diff app/wiring.py
 class Reads:
-    posts = 1
+    posts = 1
+    comments = 2

     users = 3
@@
-import os
```
"""


def test_a_guide_is_followed_block_by_block(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/wiring.py").write_text("import os\n\nclass Reads:\n    posts = 1\n\n    users = 3\n")

    follow(blocks(GUIDE), tmp_path)

    assert (tmp_path / "app/services/comments.py").read_text() == "MOST = 3\n\n\ndef most() -> int:\n    return MOST\n"
    expected = "\nclass Reads:\n    posts = 1\n    comments = 2\n\n    users = 3\n"
    assert (tmp_path / "app/wiring.py").read_text() == expected


@pytest.mark.parametrize("text", ["", "posts = 1\nposts = 1\n"])
def test_an_edit_that_fits_nowhere_or_twice_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "wiring.py").write_text(text)

    with pytest.raises(LookupError, match=r"wiring\.py has \d times"):
        follow([Block("wiring.py", "-posts = 1\n+posts = 2\n", is_edit=True)], tmp_path)


def test_a_file_that_is_there_is_not_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "wiring.py").write_text("")

    with pytest.raises(FileExistsError):
        follow([Block("wiring.py", "posts = 1\n", is_edit=False)], tmp_path)


CODE = """import os

KEPT = 1
GONE: int = 2


@decorated
def gone() -> None: ...


class Kept:
    kept = 1
    gone = 2
"""


def test_definitions_are_taken_out_whole(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    (tmp_path / "code.py").write_text(CODE)

    checkout.forget("code.py", "GONE", "gone", "Kept.gone")

    left = (tmp_path / "code.py").read_text()
    assert [line for line in left.splitlines() if line] == ["import os", "KEPT = 1", "class Kept:", "    kept = 1"]


def test_what_is_not_there_can_t_be_taken_out(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)

    with pytest.raises(LookupError, match="has no nothing"):
        checkout.forget("app/main.py", "nothing")
    with pytest.raises(FileNotFoundError):
        checkout.delete("app/nothing.py")
