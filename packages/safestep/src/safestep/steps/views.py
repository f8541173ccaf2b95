"""Materialized views in use."""

from alembic.util import CommandError

from safestep.steps.execution import own_transactions

VIEW = "SELECT relispopulated FROM pg_class WHERE oid = to_regclass(:view) AND relkind = 'm'"


def refresh_concurrently(view: str, *, schema: str | None = None) -> None:
    """REFRESH MATERIALIZED VIEW CONCURRENTLY. Lock: EXCLUSIVE on the view; reads of it go on.

    The view needs a unique index on columns, of all rows. One that was made WITH NO DATA can't be read yet, nor
    refreshed concurrently: it is filled the plain way. Raises CommandError when there is no such view.
    """
    with own_transactions() as step:
        name = step.quote(view, schema)
        found = step.first_row(VIEW, view=name)
        if not (found or step.is_offline):
            raise CommandError(f"there is no materialized view {view!r} to refresh")
        is_empty = found is not None and not found.relispopulated
        step.run_long(f"REFRESH MATERIALIZED VIEW {'' if is_empty else 'CONCURRENTLY '}{name}")
