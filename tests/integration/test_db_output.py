"""What `postern db …` prints besides its answer: nothing. Scripts read its output, and `--sql` is run as it stands."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.process import environment


def test_an_embedded_database_starts_without_a_word() -> None:
    folder = Path(tempfile.mkdtemp(prefix="postern-output-"))
    folder.chmod(0o755)  # root's server runs as another user, who has to enter
    command = (sys.executable, "-m", "app.cli.main", "db", "current")
    variables = environment(DATA_DIR=str(folder / "data"))
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(folder)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "no revision yet: run `postern db upgrade`\n", "")
