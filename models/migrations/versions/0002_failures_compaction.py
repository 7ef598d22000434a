"""Limits of retrying, compaction of history, thresholds per user"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = '0002'
down_revision: str | None = '0001'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    now = sa.text('now()')
    time = sa.DateTime(timezone=True)
    op.add_column('chats', sa.Column('failing_since', time, nullable=True))
    op.add_column('chats', sa.Column('turn_started_at', time, server_default=now, nullable=False))
    op.add_column('chats', sa.Column('compaction_requested_at', time, nullable=True))
    op.add_column('chats', sa.Column('compaction_due', sa.Text(), nullable=True))
    op.add_column('chats', sa.Column('reentries', sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('chats', sa.Column('compacted_step', sa.BigInteger(), nullable=True))
    op.add_column('messages', sa.Column('compressed', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.drop_index('messages_one_answer_per_step', table_name='messages')
    op.create_index('messages_one_answer_per_step', 'messages', ['chat_id', 'turn', 'step'], unique=True, postgresql_where=sa.text("role = 'assistant' AND NOT compressed"))
    op.create_index('messages_boundaries', 'messages', ['chat_id', 'id'], unique=False, postgresql_where=sa.text("compressed AND visibility = 'model'"))
    op.add_column('model_configs', sa.Column('compression_threshold', sa.Integer(), server_default='70', nullable=False))
    op.execute('UPDATE model_configs SET compression_threshold = 30 WHERE context_limit >= 500000')
    op.create_table('compaction_thresholds',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('model_config_id', sa.Uuid(), nullable=False),
    sa.Column('threshold_percent', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['model_config_id'], ['model_configs.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', 'model_config_id')
    )


def downgrade() -> None:
    op.drop_table('compaction_thresholds')
    op.drop_column('model_configs', 'compression_threshold')
    op.drop_index('messages_boundaries', table_name='messages')
    op.drop_index('messages_one_answer_per_step', table_name='messages')
    op.create_index('messages_one_answer_per_step', 'messages', ['chat_id', 'turn', 'step'], unique=True, postgresql_where=sa.text("role = 'assistant'"))
    op.drop_column('messages', 'compressed')
    for column in ('compacted_step', 'reentries', 'compaction_due', 'compaction_requested_at', 'turn_started_at', 'failing_since'):
        op.drop_column('chats', column)
