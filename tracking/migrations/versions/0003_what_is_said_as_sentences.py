"""names of jobs and reasons of failures as sentences, for each reader in his own language

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

COLUMNS = (('job', 'label', sa.String(200), False), ('job', 'error', sa.Text(), True), ('report_schedule', 'last_error', sa.Text(), True))


def upgrade() -> None:
    # What was written before stays a text as it is: a string of JSON.
    for table, column, old, nullable in COLUMNS:
        if op.get_bind().dialect.name == 'sqlite':
            op.execute(f'UPDATE {table} SET {column} = json_quote({column}) WHERE {column} IS NOT NULL')
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column(column, existing_type=old, type_=sa.JSON(), existing_nullable=nullable, postgresql_using=f'to_json({column})')


def downgrade() -> None:
    # Of a sentence only its template is left, without its values.
    for table, column, old, nullable in COLUMNS:
        if op.get_bind().dialect.name == 'sqlite':
            op.execute(f"UPDATE {table} SET {column} = coalesce(json_extract({column}, '$.template'), json_extract({column}, '$'))")
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column(column, existing_type=sa.JSON(), type_=old, existing_nullable=nullable, postgresql_using=f"coalesce({column} ->> 'template', {column} #>> '{{}}')")
