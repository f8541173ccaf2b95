"""What a revision may violate: by an exception with its reason, or by its phase."""

import pytest
from safestep_support.linting import LOCK_TIMEOUT, SET_LOCK_TIMEOUT, LintedRevisions
from safestep_support.revisions import executing


def test_an_exception_with_a_reason_is_listed(linted: LintedRevisions) -> None:
    top = 'lint_exceptions: dict[str, str] = {"truncate": "it is empty before the release"}\n'
    file = linted.write(executing(LOCK_TIMEOUT, "TRUNCATE tags"), top=top)
    report = linted.lint()
    assert report.findings == []
    (exception,) = report.exceptions
    assert (exception.rule, exception.reason) == ("truncate", "it is empty before the release")
    assert file.read_text().splitlines()[exception.line - 1] == top.strip()
    assert "truncate - it is empty before the release" in report.for_people()


@pytest.mark.parametrize(
    ("claimed", "found"),
    [
        ("{'truncate': ''}", "exception-without-reason"),
        ("{'truncate': None}", "exception-without-reason"),
        ("['truncate']", "exception-without-reason"),
        ("{'truncate': 'why', 'cluster': 'why'}", "exception-unused"),
        ("{'truncate': 'why', 'no-such-rule': 'why'}", "exception-unused"),
    ],
)
def test_an_exception_that_says_nothing_is_a_finding(claimed: str, found: str, linted: LintedRevisions) -> None:
    rules = linted.rules(executing(LOCK_TIMEOUT, "TRUNCATE tags"), top=f"lint_exceptions = {claimed}\n")
    assert found in rules
    assert {exception.rule for exception in linted.lint().exceptions} <= {"truncate"}


@pytest.mark.parametrize(
    ("rule", "message"),
    [("no-such-rule", "there is no rule no-such-rule"), ("cluster", "cluster finds nothing in this revision")],
)
def test_an_unused_exception_says_why_it_is(rule: str, message: str, linted: LintedRevisions) -> None:
    linted.write("op.execute('SELECT 1')", top=f"lint_exceptions = {{{rule!r}: 'why'}}\n")
    assert [finding.message for finding in linted.lint().findings] == [message]


def test_a_contract_revision_may_drop_but_not_stall(linted: LintedRevisions) -> None:
    body = SET_LOCK_TIMEOUT + "op.drop_column('posts', 'views')\nop.drop_index('ix_posts_slug', 'posts')"
    top = "phase = 'contract'\ndestructive = True\n"
    assert linted.rules(body, top=top) == ["require-concurrent-index-deletion"]
    assert "ban-drop-column" in linted.rules(body, top="phase = 'expand'\n")


@pytest.mark.parametrize(
    ("sql", "is_destructive"),
    [
        ("DROP TABLE tags", True),
        ("ALTER TABLE posts ADD COLUMN a text, DROP COLUMN views", True),
        ("DROP TYPE state CASCADE", True),
        ("DROP DOMAIN short CASCADE", True),
        ("DROP EXTENSION hstore CASCADE", True),
        ("DROP TYPE state", False),
        ("DROP VIEW slugs CASCADE", False),
        ("DROP FUNCTION stamp CASCADE", False),
        ("ALTER TABLE posts DROP CONSTRAINT posts_body_check", False),
    ],
)
def test_a_contract_revision_that_drops_data_says_so(sql: str, is_destructive: bool, linted: LintedRevisions) -> None:
    body = f"{SET_LOCK_TIMEOUT}op.execute({sql!r})"
    for mark in ("", "destructive = False\n"):
        rules = linted.rules(body, top=f"phase = 'contract'\n{mark}")
        assert ("destructive-not-marked" in rules) is is_destructive
    assert "destructive-not-marked" not in linted.rules(body, top="phase = 'contract'\ndestructive = True\n")


def test_a_table_that_comes_and_goes_in_one_revision_destroys_nothing(linted: LintedRevisions) -> None:
    assert linted.rules_of("CREATE TABLE fresh (id uuid)", "DROP TABLE fresh") == []
