"""The schema's history, in steps that Alembic takes."""
