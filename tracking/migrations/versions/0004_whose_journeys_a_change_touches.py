"""whose journeys a transaction changed, so that only their figures are worked out anew

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('data_change', schema=None) as batch_op:
        batch_op.add_column(sa.Column('nonce', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('scope', sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('data_change', schema=None) as batch_op:
        batch_op.drop_column('scope')
        batch_op.drop_column('nonce')
