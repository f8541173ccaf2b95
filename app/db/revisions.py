"""Whether this code can run on a database, by the revision of its schema."""


def is_behind(revision: str | None) -> bool:
    """Whether a revision that expands is missing. Reads the files of the revisions, so it blocks."""
    # Alembic costs some megabytes, so a process has it only when somebody asks whether it is ready.
    from safestep.migrations.commands import needed_revision

    from app.db.migrations import project

    return needed_revision(project, revision) is not None
