"""who takes a call, who is away, practice calls, and channels by their standard names

Revision ID: 0012
Revises: 0011
"""

import secrets

import sqlalchemy as sa
from alembic import op

from tracking.language import channels
from tracking.storage.db import Moment

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
NAMED = [sa.table(name, sa.column('channel', sa.String)) for name in ('campaign', 'touch', 'answer')]
CHANGE = sa.table('data_change', sa.column('nonce', sa.BigInteger), sa.column('scope', sa.String))


def upgrade() -> None:
    op.create_table('practice_call',
    sa.Column('id', ROW, nullable=False),
    sa.Column('user_id', ROW, nullable=False),
    sa.Column('assignment_id', ROW, nullable=True),
    sa.Column('started_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['assignment_id'], ['number_assignment.id'], name=op.f('fk_practice_call_assignment_id')),
    sa.ForeignKeyConstraint(['user_id'], ['app_user.id'], name=op.f('fk_practice_call_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_practice_call'))
    )
    op.create_index(op.f('ix_practice_call_user_id'), 'practice_call', ['user_id'])
    with op.batch_alter_table('call_desk', schema=None) as batch_op:
        batch_op.add_column(sa.Column('taken_at', Moment(), nullable=True))
    with op.batch_alter_table('app_user', schema=None) as batch_op:
        batch_op.add_column(sa.Column('away', sa.Boolean(), server_default=sa.false(), nullable=False))
    # What was written under another name of a channel would stand beside it as a channel of its own.
    bind = op.get_bind()
    renamed = False
    for table in NAMED:
        for name in bind.scalars(sa.select(table.c.channel).where(table.c.channel.is_not(None)).distinct()).all():
            if (standard := channels.canonical(name)) != name:
                bind.execute(sa.update(table).where(table.c.channel == name).values(channel=standard))
                renamed = True
    if renamed:
        bind.execute(sa.insert(CHANGE).values(nonce=secrets.randbits(62), scope=None))


def downgrade() -> None:
    with op.batch_alter_table('app_user', schema=None) as batch_op:
        batch_op.drop_column('away')
    with op.batch_alter_table('call_desk', schema=None) as batch_op:
        batch_op.drop_column('taken_at')
    op.drop_table('practice_call')
