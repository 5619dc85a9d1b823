"""where visits come from: tags and click ids of touches, visits told apart for certain, rules

Revision ID: 0017
Revises: 0015
"""

import datetime
import hashlib

import sqlalchemy as sa
from alembic import op
from tracking.storage.db import Moment

revision = '0017'
down_revision = '0015'
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
TAGS = ('utm_source', 'utm_medium', 'utm_campaign')


def upgrade() -> None:
    for name in TAGS:
        op.add_column('touch', sa.Column(name, sa.String(length=200), nullable=True))
    op.add_column('touch', sa.Column('landing_page', sa.String(length=1000), nullable=True))
    op.add_column('touch', sa.Column('click_ids', sa.LargeBinary(), nullable=True))
    names = {'paid_search': 'paid search', 'organic_search': 'organic search', 'paid_social': 'paid social',
             'organic_social': 'organic social', 'ai_referral': 'ai assistant'}
    for before, now in names.items():
        op.execute(sa.text('UPDATE touch SET channel = :now WHERE channel = :before').bindparams(now=now, before=before))
    op.create_table('source_rule',
    sa.Column('id', ROW, nullable=False),
    sa.Column('campaign_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    *(sa.Column(name, sa.String(length=200), nullable=False) for name in TAGS),
    sa.Column('created_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaign.id'], name=op.f('fk_source_rule_campaign_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_source_rule')),
    sa.UniqueConstraint(*TAGS, name=op.f('uq_source_rule_utm_source_utm_medium_utm_campaign'))
    )
    op.create_index(op.f('ix_source_rule_campaign_id'), 'source_rule', ['campaign_id'])
    bind = op.get_bind()
    # Rows that nothing tells apart, which a null let in: their sum is what was counted until now.
    counted = bind.execute(sa.text(
        'SELECT day, campaign_id, channel, sum(visits) AS visits FROM visit_count GROUP BY day, campaign_id, channel '
        'ORDER BY min(id)')).all()
    op.drop_table('visit_count')
    table = op.create_table('visit_count',
    sa.Column('id', ROW, nullable=False),
    sa.Column('imported_by', sa.Integer(), nullable=True),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('told', sa.String(length=64), nullable=False),
    sa.Column('site', sa.String(length=200), nullable=False),
    sa.Column('counted_by', sa.String(length=200), nullable=False),
    sa.Column('breakdown', sa.String(length=40), nullable=False),
    sa.Column('campaign_id', ROW, nullable=True),
    sa.Column('channel', sa.String(length=200), nullable=True),
    *(sa.Column(name, sa.String(length=200), nullable=True) for name in TAGS),
    sa.Column('visits', sa.Integer(), nullable=False),
    sa.CheckConstraint('visits >= 0', name=op.f('ck_visit_count_not_negative')),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaign.id'], name=op.f('fk_visit_count_campaign_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_count')),
    sa.UniqueConstraint('day', 'told', name=op.f('uq_visit_count_day_told'))
    )
    op.create_index(op.f('ix_visit_count_campaign_id'), 'visit_count', ['campaign_id'])
    rows = [
        {'day': _day(row.day), 'told': _told(row),
         'site': '', 'counted_by': '', 'breakdown': '', 'campaign_id': row.campaign_id, 'channel': row.channel,
         'visits': min(int(row.visits), 2**31 - 1)}
        for row in counted
    ]
    if rows:
        op.bulk_insert(table, rows)


def _told(row):
    whole = ['', '', row.channel or '', '', '', '', str(row.campaign_id or '')]
    return hashlib.sha256('\x1f'.join(whole).encode()).hexdigest()


def _day(value):
    return datetime.date.fromisoformat(value) if isinstance(value, str) else value


def downgrade() -> None:
    bind = op.get_bind()
    counted = bind.execute(sa.text(
        'SELECT day, campaign_id, channel, sum(visits) AS visits FROM visit_count GROUP BY day, campaign_id, channel '
        'ORDER BY min(id)')).all()
    op.drop_table('visit_count')
    table = op.create_table('visit_count',
    sa.Column('id', ROW, nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('campaign_id', ROW, nullable=True),
    sa.Column('channel', sa.String(length=200), nullable=True),
    sa.Column('visits', sa.Integer(), nullable=False),
    sa.CheckConstraint('visits >= 0', name=op.f('ck_visit_count_not_negative')),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaign.id'], name=op.f('fk_visit_count_campaign_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_count')),
    sa.UniqueConstraint('day', 'campaign_id', 'channel', name=op.f('uq_visit_count_day_campaign_id_channel'))
    )
    if counted:
        op.bulk_insert(table, [{**row._mapping, 'day': _day(row.day)} for row in counted])
    op.drop_table('source_rule')
    for name in ('click_ids', 'landing_page', *reversed(TAGS)):
        op.drop_column('touch', name)
