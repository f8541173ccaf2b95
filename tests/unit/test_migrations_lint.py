"""The service's own revisions pass the lint, and the documentation lists its rules."""

from safestep.lint import lint
from safestep.lint.recipes import markdown_table

from app.db.migrations import project


def test_the_shipped_revisions_are_safe() -> None:
    report = lint(project)
    assert report.revisions >= 1
    assert report.findings == []


def test_the_documentation_has_the_table_of_all_rules() -> None:
    documentation = (project.root / "docs" / "migrations.md").read_text()
    assert markdown_table() in documentation, "`postern db lint --rules` prints the table"
