"""Calls that went through the gateway"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = '0014'
down_revision: str | None = '0013'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table('gateway_calls',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('organization_id', sa.Uuid(), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('token_id', sa.Uuid(), nullable=False),
        sa.Column('provider_id', sa.Uuid(), nullable=False),
        sa.Column('provider_name', sa.Text(), nullable=False),
        sa.Column('model', sa.Text(), nullable=False),
        sa.Column('endpoint', sa.Text(), nullable=False),
        sa.Column('streamed', sa.Boolean(), nullable=False),
        sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('status', sa.Integer(), nullable=True),
        sa.Column('outcome', sa.Text(), nullable=True),
        sa.Column('response_id', sa.Text(), nullable=True),
        sa.Column('input_tokens', sa.BigInteger(), nullable=True),
        sa.Column('output_tokens', sa.BigInteger(), nullable=True),
        sa.Column('reasoning_tokens', sa.BigInteger(), nullable=True),
        sa.Column('cache_read_tokens', sa.BigInteger(), nullable=True),
        sa.Column('cache_creation_tokens', sa.BigInteger(), nullable=True),
        sa.Column('cost_micros', sa.BigInteger(), nullable=True),
        sa.Column('tool_calls', postgresql.JSONB(none_as_null=True), server_default='[]', nullable=False),
        sa.CheckConstraint("outcome IN ('completed', 'failed', 'unfinished', 'lost') AND (outcome IS NULL) = (finished_at IS NULL)", name='gateway_calls_outcome'),
        sa.ForeignKeyConstraint(['organization_id'], ['organizations.id']),
        sa.ForeignKeyConstraint(['user_id'], ['users.id']),
        sa.PrimaryKeyConstraint('id'),
    )
    op.create_index('gateway_calls_by_organization', 'gateway_calls', ['organization_id', 'started_at', 'id'])
    op.create_index('gateway_calls_by_user', 'gateway_calls', ['user_id', 'started_at', 'id'])
    op.create_index('gateway_calls_running', 'gateway_calls', ['started_at'], postgresql_where=sa.text('finished_at IS NULL'))


def downgrade() -> None:
    op.drop_table('gateway_calls')
