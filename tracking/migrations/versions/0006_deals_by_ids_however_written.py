"""deals are found by the ids of other systems however their capitals and blanks are written

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_deal_external_id_folded', 'deal', [sa.text("lower(replace(external_id, ' ', ''))")])


def downgrade() -> None:
    op.drop_index('ix_deal_external_id_folded', table_name='deal')
