"""attempts of a job in a column of their own, and one word for the provider of calls that people entered

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

JOB = sa.table('job', sa.column('id', sa.Integer), sa.column('state', sa.String), sa.column('result', sa.JSON(none_as_null=True)), sa.column('attempts', sa.Integer))
CALL = sa.table('call', sa.column('provider', sa.String), sa.column('provider_call_id', sa.String))
OPEN = ('waiting', 'running')


def upgrade() -> None:
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.add_column(sa.Column('attempts', sa.Integer(), server_default='0', nullable=False))
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.alter_column('attempts', existing_type=sa.Integer(), existing_nullable=False, server_default=None)
    bind = op.get_bind()
    for job_id, result in bind.execute(sa.select(JOB.c.id, JOB.c.result).where(JOB.c.state.in_(OPEN))).all():
        if result:
            bind.execute(sa.update(JOB).where(JOB.c.id == job_id).values(attempts=result.get('begun', 0), result=None))
    # Two calls would only be one if a program had used the key of a form; such a pair stays as it is.
    same = CALL.alias()
    taken = sa.exists().where(same.c.provider == 'manual', same.c.provider_call_id == CALL.c.provider_call_id)
    bind.execute(sa.update(CALL).where(CALL.c.provider == 'by hand', ~taken).values(provider='manual'))


def downgrade() -> None:
    bind = op.get_bind()
    for job_id, attempts in bind.execute(sa.select(JOB.c.id, JOB.c.attempts).where(JOB.c.state.in_(OPEN), JOB.c.attempts > 0)).all():
        bind.execute(sa.update(JOB).where(JOB.c.id == job_id).values(result={'begun': attempts}))
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.drop_column('attempts')
