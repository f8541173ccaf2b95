"""What has to change in the baseline so that it lists exactly what lint finds in sealed revisions."""

from collections.abc import Collection
from dataclasses import dataclass

from alembic.util import CommandError

from safestep.lint.baseline import Baseline, BaselineEntry, key_of
from safestep.lint.report import LintFinding, LintReport


class NotSealed(CommandError):
    """A revision can still be changed, so its findings don't belong in the baseline."""


@dataclass(frozen=True)
class BaselineUpdate:
    baseline: Baseline
    kept: list[BaselineEntry]
    dropped: list[BaselineEntry]
    """Those that list nothing, and those without a reason."""
    added: list[LintFinding]
    """One for each new entry."""
    not_sealed: list[LintFinding]
    """Findings in revisions that can still be changed."""

    def write(self, reason: str) -> None:
        """Writes the file; `reason` is given for every new entry."""
        added = [
            BaselineEntry(revision=one.revision, line=one.line, rule=one.rule, statement=one.sql, reason=reason)
            for one in self.added
        ]
        self.baseline.write([*self.kept, *added])


def make_update(report: LintReport, baseline: Baseline, chosen: Collection[str] | None = None) -> BaselineUpdate:
    """`report` is about all revisions. New entries are those of the chosen revisions, or of all that are sealed.

    Raises NotSealed when a chosen revision has findings and can still be changed.
    """
    about_revisions = [one for one in report.findings if one.revision and (chosen is None or one.revision in chosen)]
    not_sealed = [finding for finding in about_revisions if not finding.sealed]
    if chosen and not_sealed:
        raise NotSealed(f"{not_sealed[0].revision} isn't sealed: {what_to_do_instead()}")
    known = {key_of(one.finding) for one in report.known}
    entries = baseline.entries.values()
    return BaselineUpdate(
        baseline,
        kept=[entry for entry in entries if entry.key in known and entry.reason],
        dropped=[entry for entry in entries if not (entry.key in known and entry.reason)],
        added=list({key_of(finding): finding for finding in about_revisions if finding.sealed}.values()),
        not_sealed=not_sealed,
    )


def what_to_do_instead() -> str:
    return "change the revision, or give the rule and the reason in its `lint_exceptions`"
