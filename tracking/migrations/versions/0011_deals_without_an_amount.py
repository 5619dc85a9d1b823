"""an open deal may have no amount yet, which is not one that is worth nothing

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

DEAL = sa.table('deal', sa.column('stage', sa.String), sa.column('amount_minor', sa.BigInteger))
OPEN = ('lead', 'qualified', 'opportunity')


def upgrade() -> None:
    with op.batch_alter_table('deal', schema=None) as batch_op:
        batch_op.alter_column('amount_minor', existing_type=sa.BigInteger(), nullable=True)
        batch_op.create_check_constraint('won_deals_have_an_amount', "stage <> 'won' OR amount_minor IS NOT NULL")
    # So far nothing was written as 0; nobody works on a deal that is worth 0.
    nothing = sa.update(DEAL).where(DEAL.c.stage.in_(OPEN), DEAL.c.amount_minor == 0)
    op.get_bind().execute(nothing.values(amount_minor=None))


def downgrade() -> None:
    op.get_bind().execute(sa.update(DEAL).where(DEAL.c.amount_minor.is_(None)).values(amount_minor=0))
    with op.batch_alter_table('deal', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_deal_won_deals_have_an_amount'), type_='check')
        batch_op.alter_column('amount_minor', existing_type=sa.BigInteger(), nullable=False)
