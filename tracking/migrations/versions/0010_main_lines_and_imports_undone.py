"""the firm's own main line; which import has made a row, and what changed it since

Revision ID: 0010
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0008'
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
MADE = ('account', 'answer', 'call', 'campaign', 'contact', 'contact_point', 'cost', 'deal', 'touch')


def upgrade() -> None:
    op.add_column('tracking_number', sa.Column('main_line', sa.Boolean(), server_default=sa.false(), nullable=False))
    for table in MADE:
        op.add_column(table, sa.Column('imported_by', sa.Integer(), nullable=True))
    op.add_column(
        'import_run',
        sa.Column('undone_at', sa.DateTime(timezone=True).with_variant(sa.BigInteger(), 'sqlite'), nullable=True),
    )
    op.create_table(
        'import_change',
        sa.Column('id', ID, nullable=False),
        sa.Column('run_id', ID, nullable=False),
        sa.Column('table_name', sa.String(length=40), nullable=False),
        sa.Column('row_id', sa.BigInteger(), nullable=False),
        sa.Column('body', sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(['run_id'], ['import_run.id'], name='fk_import_change_run_id'),
        sa.PrimaryKeyConstraint('id', name='pk_import_change'),
    )
    op.create_index('ix_import_change_run_id', 'import_change', ['run_id'])
    op.create_index('ix_import_change_row', 'import_change', ['table_name', 'row_id'])
    op.create_table(
        'import_hold',
        sa.Column('id', ID, nullable=False),
        sa.Column('run_id', sa.Integer(), nullable=False),
        sa.Column('table_name', sa.String(length=40), nullable=False),
        sa.Column('row_id', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_import_hold'),
        sa.UniqueConstraint('table_name', 'row_id', name='uq_import_hold_table_name_row_id'),
    )
    op.create_index('ix_import_hold_run_id', 'import_hold', ['run_id'])


def downgrade() -> None:
    op.drop_table('import_hold')
    op.drop_table('import_change')
    for table in ('import_run', *MADE, 'tracking_number'):
        name = {'import_run': 'undone_at', 'tracking_number': 'main_line'}.get(table, 'imported_by')
        op.drop_column(table, name)
