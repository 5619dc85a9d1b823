"""experiments: advertising paused for some weeks to see what is missing then

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op
from tracking.storage.db import Moment

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
PAUSED = ('campaign', 'ad_material', 'tracking_number')


def upgrade() -> None:
    op.create_table('experiment',
    sa.Column('id', ROW, nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    *(sa.Column(f'{name}_id', ROW, nullable=True) for name in PAUSED),
    sa.Column('regions', sa.JSON(), nullable=False),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=False),
    sa.Column('settle_weeks', sa.Integer(), nullable=False),
    sa.Column('belief_low', sa.Double(), nullable=True),
    sa.Column('belief_high', sa.Double(), nullable=True),
    sa.Column('state', sa.Enum('planned', 'running', 'ended', 'cancelled', name='experimentstate', native_enum=False,
                               create_constraint=True, length=16), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.CheckConstraint('ends_on >= starts_on', name=op.f('ck_experiment_ends_after_start')),
    sa.CheckConstraint('settle_weeks >= 0', name=op.f('ck_experiment_settle_not_negative')),
    sa.CheckConstraint('belief_low < belief_high', name=op.f('ck_experiment_belief_runs_upward')),
    *(sa.ForeignKeyConstraint([f'{name}_id'], [f'{name}.id'], name=op.f(f'fk_experiment_{name}_id'))
      for name in PAUSED),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_experiment')),
    sa.UniqueConstraint('name', name=op.f('uq_experiment_name'))
    )
    for name in PAUSED:
        op.create_index(op.f(f'ix_experiment_{name}_id'), 'experiment', [f'{name}_id'])


def downgrade() -> None:
    op.drop_table('experiment')
