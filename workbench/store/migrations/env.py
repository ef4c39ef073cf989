"""Runs the migrations on the connection `workbench.store.migrate` hands over, inside its transaction."""

from alembic import context

from workbench.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite changes a column by copying the table
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
