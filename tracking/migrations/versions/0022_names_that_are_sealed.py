"""names of people, and of files that are named after them, are sealed; contacts are found by marks of theirs

Revision ID: 0022
Revises: 0021
"""

import json

import sqlalchemy as sa
from alembic import op
from tracking.storage import namemarks, vault

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None

SAID = sa.JSON(none_as_null=True)
# Table, column, what it was, whether every row has one.
COLUMNS = (
    ('contact', 'name', sa.String(200), False),
    ('call', 'caller_name', sa.String(200), False),
    ('job', 'label', SAID, True),
    ('job', 'error', SAID, False),
)
STEP = 1000


def upgrade() -> None:
    op.add_column('contact', sa.Column('name_marks', sa.Text(), nullable=True))
    for table, column, old, required in COLUMNS:
        purpose = f'{table}.{column}'
        marks = namemarks.marks if purpose == 'contact.name' else None

        def seal(value, said=old is SAID, purpose=purpose):
            return vault.seal(json.dumps(value) if said else value, purpose)

        _replace(table, column, old, sa.LargeBinary(), seal, required, marks)


def downgrade() -> None:
    for table, column, old, required in COLUMNS:

        def clear(value, said=old is SAID, purpose=f'{table}.{column}'):
            told = vault.unseal(bytes(value), purpose)
            return json.loads(told) if said else told

        _replace(table, column, sa.LargeBinary(), old, clear, required)
    op.drop_column('contact', 'name_marks')


def _replace(table, column, old, new, made, required, marks=None):
    # Beside the old one, row by row of the key: a table of a million rows is not held in memory, and others
    # that point to it are not touched.
    bind, beside = op.get_bind(), f'{column}_new'
    nothing = sa.text("X''" if isinstance(new, sa.LargeBinary) else "'\"\"'")
    if bind.dialect.name == 'postgresql' and isinstance(new, sa.LargeBinary):
        nothing = sa.text("''")
    op.add_column(table, sa.Column(beside, new, nullable=not required, server_default=nothing if required else None))
    rows = sa.table(table, sa.column('id', sa.BigInteger), sa.column(column, old), sa.column(beside, new), sa.column('name_marks', sa.Text))
    wanted = sa.select(rows.c.id, rows.c[column]).where(rows.c[column].is_not(None)).order_by(rows.c.id).limit(STEP)
    values = {beside: sa.bindparam('made', type_=new)} | ({'name_marks': sa.bindparam('marks')} if marks else {})
    change, last = sa.update(rows).where(rows.c.id == sa.bindparam('row')).values(values), 0
    while found := bind.execute(wanted.where(rows.c.id > last)).all():
        last = found[-1].id
        bind.execute(change, [{'row': key, 'made': made(value)} | ({'marks': marks(value)} if marks else {}) for key, value in found])
    op.drop_column(table, column)
    op.execute(f'ALTER TABLE "{table}" RENAME COLUMN {beside} TO {column}')
    if required and bind.dialect.name == 'postgresql':
        op.alter_column(table, column, server_default=None)
