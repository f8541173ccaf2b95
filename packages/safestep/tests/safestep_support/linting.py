"""What the tests of lint share: the corpus of revisions, and a project on top of the corpus's tables."""

import re
import shutil
from pathlib import Path

from alembic.script import ScriptDirectory
from safestep.cli import make_app
from safestep.lint import LintReport, lint
from safestep.lint.render import render
from safestep.migrations import commands
from typer.testing import CliRunner, Result

from safestep_support.revisions import INI, Revisions, executing, project_in

CORPUS = Path(__file__).parents[1] / "lint_corpus"
CORPUS_PROJECT = project_in(CORPUS)
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
SET_LOCK_TIMEOUT = f"{executing(LOCK_TIMEOUT)}\n"
"""The first line of an upgrade() whose statements take locks: the corpus's env.py sets no timeout."""
OUTSIDE_OF_TRANSACTION = "with op.get_context().autocommit_block():\n"


class LintedRevisions(Revisions):
    """A project that begins with the corpus's tables, and lint's findings in the revisions that a test adds."""

    def __init__(self, root: Path) -> None:
        shutil.copytree(CORPUS / "base", root / "alembic" / "versions", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(CORPUS / "env.py", root / "alembic")
        (root / "alembic.ini").write_text(INI)
        super().__init__(root)

    def write(
        self, upgrade: str = "pass", *, top: str = "", name: str = "one", after: str | tuple[str, ...] = "tables"
    ) -> Path:
        return self.add(name, upgrade, marks=top, after=after)

    def paste(self, recipe: str) -> list[str]:
        """Writes a revision for each part of a recipe, with its assignments at the top; returns the revisions' ids."""
        names: list[str] = []
        for number, part in enumerate(re.split(r"^# .*revision.*\n", f"{recipe}\n", flags=re.MULTILINE)):
            assignments = re.findall(r"^\w+ = .*\n", part, flags=re.MULTILINE)
            calls = re.sub(r"^\w+ = .*\n", "", part, flags=re.MULTILINE)
            name = f"step_{number}"
            upgrade = executing("SET lock_timeout = '2s'") + f"\n{calls}"
            self.write(upgrade, top="".join(assignments), name=name, after=names[-1] if names else "tables")
            names.append(name)
        return names

    def lint(self, *names: str) -> LintReport:
        return lint(self.project, names or ["one"])

    def rules(self, upgrade: str, top: str = "") -> list[str]:
        """The rules that a revision with these lines violates."""
        self.write(upgrade, top=top)
        return self.violated()

    def rules_of(self, *sql: str) -> list[str]:
        """The same for a revision that runs these texts; one may hold several statements, each on its own line."""
        return self.rules(executing(*(statement for text in sql for statement in text.split(";\n"))))

    def violated(self, *names: str) -> list[str]:
        """The rules that the revisions violate which are there."""
        return [finding.rule for finding in self.lint(*names).findings]

    def run(self, *arguments: str, typed: str = "") -> Result:
        """What the command line does with these arguments, and with what a person types."""
        return CliRunner().invoke(make_app(self.project), arguments, input=typed)

    @property
    def baseline(self) -> Path:
        return self.root / "alembic" / "lint_baseline.toml"

    def line(self, name: str, text: str) -> int:
        """The line of the revision's file that holds this text."""
        lines = (self.versions / f"{name}.py").read_text().splitlines()
        (number,) = (number for number, line in enumerate(lines, start=1) if text in line)
        return number

    def sql(self, name: str) -> list[str]:
        """What the revision runs."""
        config = commands.config(self.project)
        directory = ScriptDirectory.from_config(config)
        return [part.text for part in render(config, directory, directory.get_revision(name)).statements if part.line]
