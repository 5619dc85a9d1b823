"""calls of a caller by time, in place of by caller alone: an import looks for the legs of one conversation

Revision ID: 0013
Revises: 0011
"""

from alembic import op

revision = '0013'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_call_caller_time', 'call', ['caller_hash', 'started_at'], unique=False)
    op.drop_index('ix_call_caller_hash', table_name='call')


def downgrade() -> None:
    op.create_index('ix_call_caller_hash', 'call', ['caller_hash'], unique=False)
    op.drop_index('ix_call_caller_time', table_name='call')
