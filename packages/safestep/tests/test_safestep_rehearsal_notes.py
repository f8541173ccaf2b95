"""A rehearsal outside of any framework: one table, a bare ASGI application, and a traffic profile of five lines."""

from safestep_support.notes import Notes, rehearse

QUICK = ("--code", "checkout", "--from", "notes", "--rows", "2000", "--rate", "50", "--max-stall", "20")
TIMES = ("--warm-up", "1", "--before", "1.5", "--after", "0.5")


def test_five_lines_of_profile_do_for_a_service(notes: Notes) -> None:
    notes.add("pinned", "ALTER TABLE notes ADD COLUMN pinned boolean DEFAULT false NOT NULL")

    outcome = rehearse(notes.project, *QUICK, *TIMES)

    assert outcome.code == 0, outcome.errors
    [leg] = outcome.report["legs"]
    assert leg["periods"]["before"]["requests"] == 75
    alter = outcome.statement("ALTER TABLE notes")
    assert [(lock["table"], lock["mode"]) for lock in alter["locks"]] == [("notes", "AccessExclusiveLock")]
    assert outcome.report["rows"] == {"notes": 2000}
    assert (leg["tables_without_traffic"], outcome.report["notes"]) == ([], [])
