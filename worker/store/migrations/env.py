"""Alembic's entry: runs the migrations on the transaction that `schema` was given, so that all happen or none."""

from alembic import context

from worker.store import tables

context.configure(
    connection=context.config.attributes["connection"], target_metadata=tables.METADATA, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
