"""Providers with sealed keys, call configurations, overrides, settings"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = '0007'
down_revision: str | None = '0008'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_USUAL_OUTPUT = 32000
"""What was stored where nobody had chosen; the code falls back to the same."""


def _flag(name: str, default: bool) -> 'sa.Column[bool]':
    return sa.Column(name, sa.Boolean(), server_default=sa.text('true' if default else 'false'), nullable=False)


def _moment(name: str) -> 'sa.Column[Any]':
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False)


def _json(name: str, default: str | None = None) -> 'sa.Column[Any]':
    return sa.Column(name, JSONB(none_as_null=True, astext_type=sa.Text()), server_default=default, nullable=False)


def upgrade() -> None:
    op.create_table('ai_providers',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=True),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('preset', sa.Text(), nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('display_name', sa.Text(), nullable=False),
    sa.Column('icon', sa.Text(), server_default='', nullable=False),
    sa.Column('base_url', sa.Text(), nullable=True),
    _flag('enabled', True),
    _json('settings', '{}'),
    _flag('central_api_key_enabled', True),
    _flag('allow_user_api_key', False),
    _flag('allow_central_api_key_fallback', False),
    _flag('deleted', False),
    _moment('created_at'),
    _moment('updated_at'),
    sa.CheckConstraint("type IN ('anthropic', 'azure', 'bedrock', 'google', 'openai', 'openai-compat', 'openrouter', 'vercel', 'vertex')", name='ai_providers_type'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id']),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ai_providers_name', 'ai_providers', ['organization_id', 'name'], unique=True, postgresql_where=sa.text('NOT deleted'), postgresql_nulls_not_distinct=True)
    op.create_index('ai_providers_preset', 'ai_providers', ['preset'], unique=True, postgresql_where=sa.text('NOT deleted'))
    op.create_table('ai_provider_keys',
    sa.Column('ai_provider_id', sa.Uuid(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('master_key_id', sa.Text(), nullable=False),
    _moment('updated_at'),
    sa.ForeignKeyConstraint(['ai_provider_id'], ['ai_providers.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('ai_provider_id')
    )
    op.create_table('user_ai_provider_keys',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('ai_provider_id', sa.Uuid(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('master_key_id', sa.Text(), nullable=False),
    _moment('updated_at'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['ai_provider_id'], ['ai_providers.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', 'ai_provider_id')
    )
    _move_models_to_providers()
    op.create_table('model_overrides',
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('context', sa.Text(), nullable=False),
    sa.Column('model_config_id', sa.Uuid(), nullable=False),
    sa.Column('reasoning_effort', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['model_config_id'], ['model_configs.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('organization_id', 'context')
    )
    op.create_table('member_model_overrides',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('context', sa.Text(), nullable=False),
    sa.Column('mode', sa.Text(), nullable=False),
    sa.Column('model_config_id', sa.Uuid(), nullable=True),
    sa.Column('reasoning_effort', sa.Text(), nullable=True),
    sa.CheckConstraint("mode IN ('chat_default', 'deployment_default', 'model') AND (mode = 'model') = (model_config_id IS NOT NULL)", name='member_model_overrides_mode'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['model_config_id'], ['model_configs.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', 'organization_id', 'context')
    )
    op.create_table('deployment_settings',
    sa.Column('name', sa.Text(), nullable=False),
    _json('value'),
    _moment('updated_at'),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('user_prompts',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('prompt', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id')
    )


def _move_models_to_providers() -> None:
    """Each name that models gave their provider becomes a provider of the environment."""
    op.execute("""
        INSERT INTO ai_providers (id, type, preset, name, display_name)
        SELECT gen_random_uuid(),
               CASE provider WHEN 'openai' THEN 'openai' ELSE 'anthropic' END,
               CASE WHEN provider IN ('anthropic', 'openai', 'demo') THEN provider END,
               provider,
               CASE provider WHEN 'anthropic' THEN 'Anthropic' WHEN 'openai' THEN 'OpenAI'
                             WHEN 'demo' THEN 'Demo model' ELSE provider END
        FROM (SELECT DISTINCT provider FROM model_configs) AS named
    """)
    op.add_column('model_configs', sa.Column('ai_provider_id', sa.Uuid(), nullable=True))
    op.add_column('model_configs', _flag('deleted', False))
    op.add_column('model_configs', _json('call_config', '{}'))
    op.add_column('model_configs', sa.Column('created_by', sa.Uuid(), nullable=True))
    op.add_column('model_configs', sa.Column('updated_by', sa.Uuid(), nullable=True))
    op.add_column('model_configs', _moment('updated_at'))
    op.execute(f"""
        UPDATE model_configs SET
            ai_provider_id = ai_providers.id,
            call_config = jsonb_strip_nulls(jsonb_build_object(
                'max_output_tokens', NULLIF(max_output_tokens, {_USUAL_OUTPUT}),
                'provider_options', CASE WHEN thinking_budget_tokens IS NOT NULL THEN jsonb_build_object(
                    'anthropic', jsonb_build_object('thinking', jsonb_build_object(
                        'budget_tokens', GREATEST(thinking_budget_tokens, 1024)))) END))
        FROM ai_providers WHERE ai_providers.name = model_configs.provider
    """)
    op.alter_column('model_configs', 'ai_provider_id', nullable=False)
    op.create_foreign_key('model_configs_ai_provider_id_fkey', 'model_configs', 'ai_providers', ['ai_provider_id'], ['id'])
    op.create_check_constraint('model_configs_default_exists', 'model_configs', 'NOT (deleted AND is_default)')
    op.drop_index('model_configs_name', table_name='model_configs')
    op.create_index('model_configs_name', 'model_configs', ['organization_id', 'ai_provider_id', 'model'], unique=True, postgresql_where=sa.text('NOT deleted'))
    op.drop_column('model_configs', 'provider')
    op.drop_column('model_configs', 'max_output_tokens')
    op.drop_column('model_configs', 'thinking_budget_tokens')


def downgrade() -> None:
    for table in ('user_prompts', 'deployment_settings', 'member_model_overrides', 'model_overrides'):
        op.drop_table(table)
    op.add_column('model_configs', sa.Column('provider', sa.Text(), nullable=True))
    op.add_column('model_configs', sa.Column('max_output_tokens', sa.Integer(), server_default=str(_USUAL_OUTPUT), nullable=False))
    op.add_column('model_configs', sa.Column('thinking_budget_tokens', sa.Integer(), nullable=True))
    # names are unique per provider before this revision: deleted models and twins get one of their own
    op.execute("""
        UPDATE model_configs SET
            provider = CASE WHEN model_configs.deleted OR ai_providers.deleted THEN model_configs.id::text
                            WHEN ai_providers.organization_id IS NOT NULL THEN ai_providers.id::text
                            ELSE ai_providers.name END,
            enabled = model_configs.enabled AND NOT model_configs.deleted,
            max_output_tokens = COALESCE((call_config ->> 'max_output_tokens')::integer, max_output_tokens),
            thinking_budget_tokens =
                (call_config #>> '{provider_options,anthropic,thinking,budget_tokens}')::integer
        FROM ai_providers WHERE ai_providers.id = model_configs.ai_provider_id
    """)
    op.alter_column('model_configs', 'provider', nullable=False)
    op.drop_index('model_configs_name', table_name='model_configs')
    op.create_index('model_configs_name', 'model_configs', ['organization_id', 'provider', 'model'], unique=True)
    op.drop_constraint('model_configs_default_exists', 'model_configs')
    for column in ('ai_provider_id', 'deleted', 'call_config', 'created_by', 'updated_by', 'updated_at'):
        op.drop_column('model_configs', column)
    for table in ('user_ai_provider_keys', 'ai_provider_keys', 'ai_providers'):
        op.drop_table(table)
