"""Triggers on tables in use."""

from safestep.steps.execution import own_transactions

TRIGGER = "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND tgname = :name AND NOT tgisinternal"


def add_trigger(name: str, table: str, statement: str, *, schema: str | None = None) -> None:
    """Runs the CREATE TRIGGER statement, in a transaction of its own: several of one revision never hold several
    tables, which requests take in another order.

    Lock: SHARE ROW EXCLUSIVE for a moment; writes wait for it. A trigger that has the name already is taken for done;
    PostgreSQL words its definition anew, so it isn't compared.
    """
    with own_transactions() as step:
        if not step.first_row(TRIGGER, name=name, table=step.quote(table, schema)):
            step.run(statement)
