"""answers of deals, who entered an answer and when; short links and how often they are followed

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op
from tracking.storage.db import Moment

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    if op.get_bind().dialect.name == 'sqlite':
        # Beside the column: SQLite adds no constraint to a table that is there.
        op.execute('ALTER TABLE answer ADD COLUMN deal_id INTEGER CONSTRAINT fk_answer_deal_id REFERENCES deal (id)')
    else:
        op.add_column('answer', sa.Column('deal_id', ROW, nullable=True))
        op.create_foreign_key('fk_answer_deal_id', 'answer', 'deal', ['deal_id'], ['id'])
    op.create_index('ix_answer_deal_id', 'answer', ['deal_id'])
    op.add_column('answer', sa.Column('entered_at', Moment(), nullable=True))
    op.add_column('answer', sa.Column('entered_by', sa.String(length=200), nullable=True))
    op.create_table('short_link',
    sa.Column('id', ROW, nullable=False),
    sa.Column('slug', sa.String(length=200), nullable=False),
    sa.Column('ad_material_id', ROW, nullable=False),
    sa.Column('target', sa.String(length=2000), nullable=False),
    sa.Column('utm_source', sa.String(length=200), nullable=True),
    sa.Column('utm_medium', sa.String(length=200), nullable=True),
    sa.Column('utm_campaign', sa.String(length=200), nullable=True),
    sa.Column('expires_on', sa.Date(), nullable=True),
    sa.Column('created_at', Moment(), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['ad_material_id'], ['ad_material.id'], name=op.f('fk_short_link_ad_material_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_short_link')),
    sa.UniqueConstraint('slug', name=op.f('uq_short_link_slug'))
    )
    op.create_index(op.f('ix_short_link_ad_material_id'), 'short_link', ['ad_material_id'])
    op.create_table('link_count',
    sa.Column('id', ROW, nullable=False),
    sa.Column('link_id', ROW, nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('bots', sa.Boolean(), nullable=False),
    sa.Column('visits', sa.Integer(), nullable=False),
    sa.CheckConstraint('visits >= 0', name=op.f('ck_link_count_not_negative')),
    sa.ForeignKeyConstraint(['link_id'], ['short_link.id'], name=op.f('fk_link_count_link_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_link_count')),
    sa.UniqueConstraint('link_id', 'day', 'bots', name=op.f('uq_link_count_link_id_day_bots'))
    )


def downgrade() -> None:
    op.drop_table('link_count')
    op.drop_table('short_link')
    op.drop_column('answer', 'entered_by')
    op.drop_column('answer', 'entered_at')
    op.drop_index('ix_answer_deal_id', 'answer')
    if op.get_bind().dialect.name != 'sqlite':
        op.drop_constraint('fk_answer_deal_id', 'answer')
    op.drop_column('answer', 'deal_id')
