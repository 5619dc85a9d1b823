"""web sites, their visitors, the pools of numbers they are shown, and who is likely to have called

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

from tracking.storage.db import Moment

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
TAGS = ('utm_source', 'utm_medium', 'utm_campaign')
CERTAINTY = sa.Enum('sure', 'likely', 'unknown', 'nobody', name='certainty', native_enum=False, create_constraint=True,
                    length=16)


def key(table: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint('id', name=op.f(f'pk_{table}'))


def points(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f'{to}.id'], name=op.f(f'fk_{table}_{column}'))


def number(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, ROW, nullable=nullable)


def text(name: str, length: int = 200, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def when(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, Moment(), nullable=nullable)


def upgrade() -> None:
    op.create_table('site',
    number('id', nullable=False), text('name', nullable=False), text('key', 16, nullable=False),
    sa.Column('origins', sa.JSON(), nullable=False), text('number', 16, nullable=False),
    sa.Column('consent', sa.Boolean(), nullable=False), sa.Column('hold_minutes', sa.Integer(), nullable=False),
    sa.Column('number_cost_minor', sa.BigInteger(), nullable=True),
    sa.Column('delay_median_s', sa.Double(), nullable=True), sa.Column('delay_spread', sa.Double(), nullable=True),
    sa.Column('stray_odds', sa.Double(), nullable=True), sa.Column('fitted_calls', sa.Integer(), nullable=False),
    when('fitted_at'), when('created_at', nullable=False),
    sa.CheckConstraint('hold_minutes BETWEEN 1 AND 1440', name=op.f('ck_site_hold_within_a_day')),
    key('site'), sa.UniqueConstraint('name', name=op.f('uq_site_name')), sa.UniqueConstraint('key', name=op.f('uq_site_key'))
    )
    op.create_table('pool_number',
    number('id', nullable=False), number('tracking_number_id', nullable=False), number('site_id', nullable=False),
    when('added_at', nullable=False), when('removed_at'), when('shown_at'), when('held_until'),
    sa.Column('lease_id', sa.BigInteger(), nullable=True),
    points('pool_number', 'tracking_number_id', 'tracking_number'), points('pool_number', 'site_id', 'site'),
    key('pool_number'), sa.UniqueConstraint('tracking_number_id', name=op.f('uq_pool_number_tracking_number_id'))
    )
    op.create_index('ix_pool_number_site_shown', 'pool_number', ['site_id', 'shown_at'])
    op.create_table('visitor',
    number('id', nullable=False), number('site_id', nullable=False), text('token_hash', 64, nullable=False),
    number('contact_id'), when('seen_at', nullable=False),
    points('visitor', 'site_id', 'site'), points('visitor', 'contact_id', 'contact'),
    key('visitor'), sa.UniqueConstraint('token_hash', name=op.f('uq_visitor_token_hash'))
    )
    for column in ('site_id', 'contact_id', 'seen_at'):
        op.create_index(op.f(f'ix_visitor_{column}'), 'visitor', [column])
    op.create_table('web_visit',
    number('id', nullable=False), number('visitor_id', nullable=False), when('started_at', nullable=False),
    when('seen_at', nullable=False), number('campaign_id'), text('channel'), *(text(name) for name in TAGS),
    text('landing_page', 1000), sa.Column('click_ids', sa.LargeBinary(), nullable=True),
    points('web_visit', 'visitor_id', 'visitor'), points('web_visit', 'campaign_id', 'campaign'), key('web_visit')
    )
    op.create_index('ix_web_visit_visitor_time', 'web_visit', ['visitor_id', 'started_at'])
    op.create_index(op.f('ix_web_visit_campaign_id'), 'web_visit', ['campaign_id'])
    op.create_table('lease',
    number('id', nullable=False), number('tracking_number_id', nullable=False), number('visit_id', nullable=False),
    when('starts_at', nullable=False), when('seen_at', nullable=False),
    points('lease', 'tracking_number_id', 'tracking_number'), points('lease', 'visit_id', 'web_visit'), key('lease')
    )
    op.create_index(op.f('ix_lease_visit_id'), 'lease', ['visit_id'])
    op.create_index('ix_lease_number_time', 'lease', ['tracking_number_id', 'starts_at'])
    op.create_table('call_holder',
    number('id', nullable=False), number('call_id', nullable=False), number('site_id'),
    when('started_at', nullable=False), sa.Column('certainty', CERTAINTY, nullable=False),
    sa.Column('holders', sa.Integer(), nullable=False), sa.Column('likelihood', sa.Double(), nullable=False),
    number('campaign_id'), text('channel'), sa.Column('runner_up', sa.Double(), nullable=True),
    number('runner_up_campaign_id'), text('runner_up_channel'),
    sa.Column('visitor_likelihood', sa.Double(), nullable=False), number('visitor_id'), when('last_shown_at'),
    text('last_page', 1000),
    points('call_holder', 'call_id', 'call'), points('call_holder', 'site_id', 'site'),
    points('call_holder', 'campaign_id', 'campaign'), points('call_holder', 'runner_up_campaign_id', 'campaign'),
    points('call_holder', 'visitor_id', 'visitor'),
    key('call_holder'), sa.UniqueConstraint('call_id', name=op.f('uq_call_holder_call_id'))
    )
    for column in ('site_id', 'started_at', 'campaign_id', 'visitor_id'):
        op.create_index(op.f(f'ix_call_holder_{column}'), 'call_holder', [column])
    sums = ('views', 'swapped', 'leased', 'overflow', 'unidentified', 'bots', 'refused')
    op.create_table('site_hour',
    number('id', nullable=False), number('site_id', nullable=False), when('hour', nullable=False),
    *(sa.Column(name, sa.Integer(), nullable=False) for name in sums),
    points('site_hour', 'site_id', 'site'), key('site_hour'),
    sa.UniqueConstraint('site_id', 'hour', name=op.f('uq_site_hour_site_id_hour'))
    )


def downgrade() -> None:
    for name in ('site_hour', 'call_holder', 'lease', 'web_visit', 'visitor', 'pool_number', 'site'):
        op.drop_table(name)
