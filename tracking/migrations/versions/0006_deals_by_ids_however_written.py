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

DEAL = sa.table('deal', sa.column('id', sa.Integer), sa.column('external_id', sa.String), sa.column('external_key', sa.String))


def upgrade() -> None:
    with op.batch_alter_table('deal', schema=None) as batch_op:
        batch_op.add_column(sa.Column('external_key', sa.String(length=200), nullable=True))
        batch_op.create_index('ix_deal_external_key', ['external_key'], unique=False)
    bind = op.get_bind()
    for deal_id, external_id in bind.execute(sa.select(DEAL.c.id, DEAL.c.external_id).where(DEAL.c.external_id.is_not(None))).all():
        key = ''.join(external_id.split()).casefold()[:200]
        bind.execute(sa.update(DEAL).where(DEAL.c.id == deal_id).values(external_key=key))


def downgrade() -> None:
    with op.batch_alter_table('deal', schema=None) as batch_op:
        batch_op.drop_index('ix_deal_external_key')
        batch_op.drop_column('external_key')
