"""Formats a new revision with ruff, where ruff is installed: `python -m safestep.formatting FILE`, from alembic.ini."""

import importlib.util
import subprocess
import sys

COMMANDS = (("check", "--fix", "--silent", "--exit-zero"), ("format", "--quiet"))


def main(file: str) -> None:
    if importlib.util.find_spec("ruff") is None:
        sys.stdout.write("ruff isn't installed, so the revision stays as it was generated\n")
        return
    for command in COMMANDS:
        subprocess.run([sys.executable, "-m", "ruff", *command, file], check=False)


if __name__ == "__main__":
    main(sys.argv[1])
