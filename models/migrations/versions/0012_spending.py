"""What calls have cost, and budgets"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = '0012'
down_revision: str | None = '0011'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_COUNTED = ('input_tokens', 'output_tokens', 'reasoning_tokens', 'cache_creation_tokens', 'cache_read_tokens')


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default='0', nullable=False)


def _moment(name: str) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False)


def upgrade() -> None:
    op.create_table('spendings',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('chat_id', sa.Uuid(), nullable=True),
    sa.Column('root_chat_id', sa.Uuid(), nullable=True),
    sa.Column('turn', sa.BigInteger(), nullable=True),
    sa.Column('step', sa.BigInteger(), nullable=True),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('model_config_id', sa.Uuid(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    _count('reserved_micros'),
    sa.Column('cost_micros', sa.BigInteger(), nullable=True),
    *(_count(name) for name in _COUNTED),
    _moment('created_at'),
    sa.CheckConstraint("state IN ('reserved', 'settled', 'assumed')", name='spendings_state'),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('spendings_by_organization', 'spendings', ['organization_id', 'created_at'])
    op.create_index('spendings_by_user', 'spendings', ['user_id', 'created_at'])
    op.create_index('spendings_by_family', 'spendings', ['root_chat_id'], postgresql_where=sa.text('root_chat_id IS NOT NULL'))
    op.create_index('spendings_reserved', 'spendings', ['created_at'], postgresql_where=sa.text("state = 'reserved'"))
    op.create_index('spendings_reserved_by_chat', 'spendings', ['chat_id'], postgresql_where=sa.text("state = 'reserved'"))
    _tell_of_earlier_calls()
    op.create_table('budgets',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('chat_id', sa.Uuid(), nullable=True),
    sa.Column('target_id', sa.Uuid(), sa.Computed('COALESCE(chat_id, user_id, organization_id)', persisted=True), nullable=False),
    sa.Column('period', sa.Text(), nullable=False),
    sa.Column('limit_micros', sa.BigInteger(), nullable=False),
    _moment('period_start'),
    _count('spent_micros'),
    _count('reserved_micros'),
    _moment('created_at'),
    _moment('updated_at'),
    sa.CheckConstraint("period IN ('day', 'month', 'total')", name='budgets_period'),
    sa.CheckConstraint("user_id IS NULL OR chat_id IS NULL", name='budgets_one_pot'),
    sa.CheckConstraint("chat_id IS NULL OR period = 'total'", name='budgets_of_chats'),
    sa.CheckConstraint("limit_micros >= 0", name='budgets_limit'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['chat_id'], ['chats.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('organization_id', 'target_id', 'period', name='budgets_one_per_period')
    )
    op.create_index('budgets_by_user', 'budgets', ['user_id'], postgresql_where=sa.text('user_id IS NOT NULL'))
    op.create_index('budgets_by_chat', 'budgets', ['chat_id'], postgresql_where=sa.text('chat_id IS NOT NULL'))


def _tell_of_earlier_calls() -> None:
    """What was used before is known, and what it would have cost is not."""
    tokens = ', '.join(f"COALESCE((usage->>'{name}')::bigint, 0)" for name in _COUNTED)
    op.execute(f"""
        INSERT INTO spendings (id, organization_id, user_id, chat_id, root_chat_id, turn, step, purpose,
            provider, model, model_config_id, state, cost_micros, {', '.join(_COUNTED)}, created_at)
        SELECT gen_random_uuid(), chats.organization_id, chats.owner_id, chats.id,
            COALESCE(chats.root_chat_id, chats.id), messages.turn, messages.step,
            CASE WHEN messages.deleted AND messages.visibility = 'model' THEN 'title' ELSE 'step' END,
            COALESCE(CASE WHEN ai_providers.preset = 'demo' THEN 'demo' ELSE ai_providers.type END, ''),
            COALESCE(model_configs.model, ''), messages.model_config_id, 'settled', messages.cost_micros,
            {tokens}, messages.created_at
        FROM messages
        JOIN chats ON chats.id = messages.chat_id
        LEFT JOIN model_configs ON model_configs.id = messages.model_config_id
        LEFT JOIN ai_providers ON ai_providers.id = model_configs.ai_provider_id
        WHERE messages.usage IS NOT NULL
    """)


def downgrade() -> None:
    op.drop_table('budgets')
    op.drop_table('spendings')
