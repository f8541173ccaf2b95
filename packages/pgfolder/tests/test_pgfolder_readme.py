"""The README's example runs as it stands, in a folder that has nothing of this repository."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_example_runs_as_it_is_written(base: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)

    done = subprocess.run([sys.executable, "-c", example], cwd=base, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.stdout == "2 notes on PostgreSQL 18\n"
    assert (base / "data" / "postgres" / "PG_VERSION").exists()
