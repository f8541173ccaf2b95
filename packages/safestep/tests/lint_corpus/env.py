"""The smallest environment: no lock timeout, no server. What it leaves out, each revision has to say itself."""

from alembic import context

context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
