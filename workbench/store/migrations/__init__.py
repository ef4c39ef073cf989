"""Alembic's migrations, run by `workbench.store.migrate` and by nothing else."""
