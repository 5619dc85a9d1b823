"""sessions that end on the server, tries that are counted by account and place, mail that waits, a sealed trail

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from tracking.storage.db import Moment

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
# What is on the trail stays there, whoever asks; a chain would only tell that it had gone.
REFUSED = 'the audit trail is never changed'
SQLITE = "CREATE TRIGGER audit_entry_{verb} BEFORE {verb} ON audit_entry {when}BEGIN SELECT RAISE(ABORT, '" + REFUSED + "'); END"
POSTGRES = [
    "CREATE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '" + REFUSED + "'; END $$",
    "CREATE TRIGGER audit_entry_update BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_entry_stays()",
]


def upgrade() -> None:
    op.create_table('open_session',
    sa.Column('id', ROW, nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('user_id', ROW, nullable=False),
    sa.Column('opened_at', Moment(), nullable=False),
    sa.Column('expires_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['app_user.id'], name=op.f('fk_open_session_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_open_session')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_open_session_token_hash'))
    )
    op.create_index(op.f('ix_open_session_user_id'), 'open_session', ['user_id'])
    op.create_index(op.f('ix_open_session_expires_at'), 'open_session', ['expires_at'])
    op.create_table('tries',
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('account', sa.String(length=64), nullable=True),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('since', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_tries'))
    )
    op.create_index(op.f('ix_tries_account'), 'tries', ['account'])
    op.create_index(op.f('ix_tries_since'), 'tries', ['since'])
    op.create_table('outgoing_mail',
    sa.Column('id', ROW, nullable=False),
    sa.Column('kind', sa.String(length=200), nullable=False),
    sa.Column('address', sa.LargeBinary(), nullable=False),
    sa.Column('language', sa.String(length=10), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('not_before', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outgoing_mail'))
    )
    op.create_index(op.f('ix_outgoing_mail_not_before'), 'outgoing_mail', ['not_before'])
    op.create_table('audit_head',
    sa.Column('id', ROW, nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.Column('seal', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_head'))
    )
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.add_column(sa.Column('place', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('seal', sa.String(length=64), nullable=True))
        batch_op.create_unique_constraint(op.f('uq_audit_entry_place'), ['place'])
    with op.batch_alter_table('app_user', schema=None) as batch_op:
        batch_op.add_column(sa.Column('tf_last_counter', sa.BigInteger(), nullable=True))
    op.drop_table('failed_sign_in')
    if op.get_bind().dialect.name == 'sqlite':
        for verb in ('UPDATE', 'DELETE'):
            op.execute(SQLITE.format(verb=verb, when=''))
    else:
        for statement in POSTGRES:
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == 'sqlite':
        for verb in ('UPDATE', 'DELETE'):
            op.execute(f'DROP TRIGGER audit_entry_{verb}')
    else:
        op.execute('DROP TRIGGER audit_entry_update ON audit_entry')
        op.execute('DROP FUNCTION audit_entry_stays()')
    with op.batch_alter_table('app_user', schema=None) as batch_op:
        batch_op.drop_column('tf_last_counter')
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('uq_audit_entry_place'), type_='unique')
        batch_op.drop_column('seal')
        batch_op.drop_column('place')
    for table in ('audit_head', 'outgoing_mail', 'tries', 'open_session'):
        op.drop_table(table)
    op.create_table('failed_sign_in',
    sa.Column('id', ROW, nullable=False),
    sa.Column('email_hash', sa.String(length=64), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_failed_sign_in'))
    )
    op.create_index('ix_failed_sign_in_email_time', 'failed_sign_in', ['email_hash', 'at'])
