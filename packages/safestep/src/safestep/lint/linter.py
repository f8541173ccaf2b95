"""Applies the rules to revisions, and then the exceptions and the baseline to what they find."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple

from safestep.lint import squawk
from safestep.lint.baseline import Baseline
from safestep.lint.exceptions import claim_of, without_exceptions
from safestep.lint.known_schema import KnownSchema
from safestep.lint.linted_revision import LintedRevision, LintedStatement, follow
from safestep.lint.own_names import own_names
from safestep.lint.recipes import Recipe, recipe
from safestep.lint.render import RenderedRevision, render
from safestep.lint.report import LintFinding, LintReport, RuleException
from safestep.lint.rules import RULES
from safestep.lint.scripts import display_path, load, revision_ids
from safestep.migrations.checksums import sealed
from safestep.migrations.commands import config
from safestep.project import Project

LONGEST_SQL = 100


def lint(project: Project, names: Sequence[str] = ()) -> LintReport:
    """Earlier revisions are read as well, for what they say about tables and indexes. Raises UnknownRevision."""
    alembic = config(project)
    directory = ScriptDirectory.from_config(alembic)
    scripts, unreadable = load(directory)
    if unreadable:
        return LintReport(revisions=0, findings=unreadable, command=project.command, unreadable=True)
    chosen = revision_ids(directory, names)
    sealed_files = sealed(project)
    sealed_ids = {script.revision for script in scripts if Path(script.path).name in sealed_files}
    findings: list[LintFinding] = []
    exceptions: list[RuleException] = []
    for script, found in _findings_by_script(alembic, directory, scripts):
        if script.revision in chosen:
            remaining, applied = without_exceptions(claim_of(script), found)
            findings += [replace(finding, sealed=script.revision in sealed_ids) for finding in remaining]
            exceptions += applied
    baseline = Baseline.read(project)
    if names:
        baseline = baseline.of_revisions(chosen)
    known = baseline.known(findings)
    return LintReport(
        revisions=len(chosen),
        findings=sorted({*findings, *baseline.objections(findings, sealed_ids)} - {one.finding for one in known}),
        exceptions=sorted(exceptions),
        known=known,
        command=project.command,
    )


def _findings_by_script(
    alembic: Config, directory: ScriptDirectory, scripts: Sequence[Script]
) -> Iterator[tuple[Script, list[LintFinding]]]:
    """`scripts` are in the order of their history: each starts from what its parents are known to leave."""
    schemas: dict[str, KnownSchema] = {}
    for script in scripts:
        before = KnownSchema(schemas[parent] for parent in to_tuple(script.down_revision, default=()))
        rendered = render(alembic, directory, script)
        revision = follow(rendered.statements, before)
        schemas[script.revision] = revision.after
        yield script, list(_findings(script, rendered, revision))


def _findings(script: Script, rendered: RenderedRevision, revision: LintedRevision) -> Iterator[LintFinding]:
    file = display_path(script.path)
    for problem in rendered.problems:
        code = recipe(problem.rule).code_for({})
        yield LintFinding(file, problem.line, problem.rule, problem.message, revision=script.revision, recipe=code)
    violations = [(statement, name, message) for name, rule in RULES.items() for statement, message in rule(revision)]
    violations += squawk.violations(revision)
    kept = [found for found in violations if _applies(recipe(found[1]), script, found[0])]
    replaced = {(id(statement), other) for statement, rule, _ in kept for other in recipe(rule).replaces}
    for statement, rule, message in kept:
        if (id(statement), rule) not in replaced:
            sql = _shortened(statement.text)
            code = recipe(rule).code_for(own_names(statement))
            yield LintFinding(file, statement.line or 1, rule, message, sql, revision=script.revision, recipe=code)


def _applies(rule: Recipe, script: Script, statement: LintedStatement) -> bool:
    """Some rules don't apply to contract or destructive revisions, most not to tables that nobody uses yet."""
    is_contract = getattr(script.module, "phase", None) == "contract"
    is_destructive = bool(getattr(script.module, "destructive", False))
    if (rule.fine_in_contract and is_contract) or (rule.fine_if_destructive and is_destructive):
        return False
    tables = statement.target_tables
    return rule.on_new_tables or not tables or bool(statement.in_use(tables) or statement.blocked_tables)


def _shortened(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= LONGEST_SQL else f"{line[: LONGEST_SQL - 1]}…"
