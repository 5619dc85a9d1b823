"""keys that change: what was sealed as text is sealed as all else; people who are forgotten

Revision ID: 0015
Revises: 0013
"""

import json

import sqlalchemy as sa
from alembic import op
from tracking.storage import vault
from tracking.storage.db import Moment

revision = '0015'
down_revision = '0013'
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    with op.batch_alter_table('installation', schema=None) as batch_op:
        batch_op.add_column(sa.Column('older_keys', sa.Text(), nullable=False, server_default=''))
    with op.batch_alter_table('installation', schema=None) as batch_op:
        batch_op.alter_column('older_keys', existing_type=sa.Text(), existing_nullable=False, server_default=None)
        batch_op.add_column(sa.Column('first_key', sa.String(length=64), nullable=True))
    op.create_table('erasure',
    sa.Column('id', ROW, nullable=False),
    sa.Column('receipt', sa.String(length=32), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.Column('by', sa.String(length=200), nullable=False),
    sa.Column('hashes', sa.JSON(), nullable=False),
    sa.Column('removed', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_erasure')),
    sa.UniqueConstraint('receipt', name=op.f('uq_erasure_receipt'))
    )
    _replace('app_user', 'tf_totp_secret', lambda value: vault.seal(value, 'app_user.tf_totp_secret'))
    _replace('app_user', 'mf_recovery_codes', _codes)
    _replace('import_run', 'file_name', lambda value: vault.seal(value, 'import_run.file_name'), required=True)


def _codes(value):
    codes = json.loads(value) if isinstance(value, str) else value
    if codes is None:
        return None
    # One of before they were sealed has 12 digits and two hyphens.
    clear = [vault.unseal(bytes.fromhex(c), 'recovery code') if len(c) > 20 else c for c in codes]
    return vault.seal(json.dumps(clear), 'app_user.mf_recovery_codes')


def _replace(table, column, seal, required=False):
    bind = op.get_bind()
    rows = bind.execute(sa.text(f'SELECT id, {column} AS held FROM {table} WHERE {column} IS NOT NULL')).all()
    # Not in a batch: others point to these rows, and SQLite would not let the table be made anew.
    op.drop_column(table, column)
    op.add_column(table, sa.Column(column, sa.LargeBinary(), nullable=True))
    for row in rows:
        bind.execute(sa.text(f'UPDATE {table} SET {column} = :value WHERE id = :id'), {'value': seal(row.held), 'id': row.id})
    if required:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column(column, existing_type=sa.LargeBinary(), nullable=False)


def downgrade() -> None:
    bind = op.get_bind()
    back = (
        ('app_user', 'tf_totp_secret', sa.String(length=255), lambda v: vault.unseal(v, 'app_user.tf_totp_secret'), True),
        ('app_user', 'mf_recovery_codes', sa.JSON(), lambda v: vault.unseal(v, 'app_user.mf_recovery_codes'), True),
        ('import_run', 'file_name', sa.String(length=200), lambda v: vault.unseal(v, 'import_run.file_name'), False),
    )
    for table, column, kind, clear, nullable in back:
        rows = bind.execute(sa.text(f'SELECT id, {column} AS held FROM {table} WHERE {column} IS NOT NULL')).all()
        op.drop_column(table, column)
        op.add_column(table, sa.Column(column, kind, nullable=True))
        for row in rows:
            cast = 'CAST(:value AS JSON)' if isinstance(kind, sa.JSON) and bind.dialect.name == 'postgresql' else ':value'
            bind.execute(sa.text(f'UPDATE {table} SET {column} = {cast} WHERE id = :id'), {'value': clear(bytes(row.held)), 'id': row.id})
        if not nullable:
            with op.batch_alter_table(table, schema=None) as batch_op:
                batch_op.alter_column(column, existing_type=kind, nullable=False)
    op.drop_table('erasure')
    with op.batch_alter_table('installation', schema=None) as batch_op:
        batch_op.drop_column('first_key')
        batch_op.drop_column('older_keys')
