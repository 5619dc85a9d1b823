"""forms that were sent from web sites, and who is told of them; addresses that have half of a pool

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op
from tracking.storage.db import Moment

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
POINTS = ('site', 'visitor', 'contact', 'touch')


def upgrade() -> None:
    op.add_column('site', sa.Column('notice_to', sa.String(length=200), nullable=True))
    op.add_column('site', sa.Column('notice_language', sa.String(length=10), nullable=True))
    op.add_column('site_hour', sa.Column('capped', sa.Integer(), server_default=sa.text('0'), nullable=False))
    op.create_table('web_form',
    sa.Column('id', ROW, nullable=False),
    sa.Column('site_id', ROW, nullable=False),
    sa.Column('post_key', sa.String(length=64), nullable=False),
    sa.Column('received_at', Moment(), nullable=False),
    sa.Column('page', sa.String(length=1000), nullable=False),
    sa.Column('state', sa.Enum('counted', 'nobody', 'spam', name='formstate', native_enum=False,
                               create_constraint=True, length=16), nullable=False),
    sa.Column('spam_signs', sa.JSON(), nullable=False),
    *(sa.Column(name, sa.LargeBinary(), nullable=True) for name in ('told', 'others', 'came')),
    *(sa.Column(f'{name}_id', ROW, nullable=True) for name in POINTS[1:]),
    *(sa.ForeignKeyConstraint([f'{name}_id'], [f'{name}.id'], name=op.f(f'fk_web_form_{name}_id')) for name in POINTS),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_web_form')),
    sa.UniqueConstraint('post_key', name=op.f('uq_web_form_post_key')),
    sa.UniqueConstraint('touch_id', name=op.f('uq_web_form_touch_id'))
    )
    for column in ('site_id', 'received_at', 'visitor_id', 'contact_id'):
        op.create_index(op.f(f'ix_web_form_{column}'), 'web_form', [column])
    if op.get_bind().dialect.name == 'sqlite':
        # Beside the column: SQLite adds no constraint to a table that is there.
        op.execute('ALTER TABLE outgoing_mail ADD COLUMN form_id INTEGER '
                   'CONSTRAINT fk_outgoing_mail_form_id REFERENCES web_form (id)')
    else:
        op.add_column('outgoing_mail', sa.Column('form_id', ROW, nullable=True))
        op.create_foreign_key('fk_outgoing_mail_form_id', 'outgoing_mail', 'web_form', ['form_id'], ['id'])
    op.create_index('ix_outgoing_mail_form_id', 'outgoing_mail', ['form_id'])


def downgrade() -> None:
    op.drop_index('ix_outgoing_mail_form_id', 'outgoing_mail')
    if op.get_bind().dialect.name != 'sqlite':
        op.drop_constraint('fk_outgoing_mail_form_id', 'outgoing_mail')
    op.drop_column('outgoing_mail', 'form_id')
    op.drop_table('web_form')
    op.drop_column('site_hour', 'capped')
    op.drop_column('site', 'notice_language')
    op.drop_column('site', 'notice_to')
