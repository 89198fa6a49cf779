"""Alembic's entry: runs the migrations on the transaction that `schema` was given, so that all happen or none."""

from alembic import context
from sqlmodel import SQLModel

from worker.store import tables  # noqa: F401 - defines the tables

context.configure(
    connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
