"""People: memberships with roles, groups, scopes of tokens, sharing, the audit log"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = '0006'
down_revision: str | None = '0004'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

NOW = sa.text('now()')
TIME = sa.DateTime(timezone=True)


def _text(name: str, default: str = '') -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def upgrade() -> None:
    op.add_column('organizations', _text('display_name'))
    op.add_column('organizations', sa.Column('updated_at', TIME, server_default=NOW, nullable=False))
    op.add_column('users', sa.Column('email', sa.Text(), nullable=True))
    op.add_column('users', _text('status', 'active'))
    op.add_column('users', _text('site_role'))
    op.add_column('users', sa.Column('updated_at', TIME, server_default=NOW, nullable=False))
    op.create_check_constraint('users_status', 'users', "status IN ('active', 'suspended')")
    op.create_check_constraint('users_site_role', 'users', "site_role IN ('', 'owner')")
    op.create_index('users_email', 'users', [sa.text('lower(email)')], unique=True)
    op.create_table('user_identities',
    sa.Column('issuer', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('issuer', 'subject')
    )
    op.create_index('ix_user_identities_user_id', 'user_identities', ['user_id'])
    op.create_table('memberships',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'auditor')", name='memberships_role'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', 'organization_id')
    )
    op.create_index('ix_memberships_organization_id', 'memberships', ['organization_id'])
    # until now a user had one organization, and the account of the first start was its administrator
    op.execute("UPDATE users SET site_role = 'owner' WHERE username = 'admin'")
    op.execute(
        "INSERT INTO memberships (user_id, organization_id, role, created_at) SELECT id, organization_id,"
        " CASE WHEN username = 'admin' THEN 'owner' ELSE 'member' END, created_at FROM users"
    )
    op.drop_column('users', 'organization_id')
    op.create_table('groups',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    _text('display_name'),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('organization_id', 'name', name='groups_name')
    )
    op.create_table('group_members',
    sa.Column('group_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id', 'organization_id'], ['memberships.user_id', 'memberships.organization_id'], name='group_members_membership', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('group_id', 'user_id')
    )
    op.create_index('group_members_by_user', 'group_members', ['user_id', 'organization_id'])
    op.add_column('api_tokens', _text('kind', 'token'))
    op.add_column('api_tokens', sa.Column('scopes', postgresql.JSONB(none_as_null=True), server_default='["all"]', nullable=False))
    op.add_column('api_tokens', sa.Column('last_used_at', TIME, nullable=True))
    op.create_check_constraint('api_tokens_kind', 'api_tokens', "kind IN ('token', 'session')")
    op.create_index('api_tokens_by_user', 'api_tokens', ['user_id'])
    for principal in ('user', 'group'):
        table, column = f'chat_{principal}_readers', f'{principal}_id'
        op.create_table(table,
        sa.Column('chat_id', sa.Uuid(), nullable=False),
        sa.Column(column, sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(['chat_id'], ['chats.id'], ondelete='CASCADE'),
        sa.ForeignKeyConstraint([column], [f'{principal}s.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('chat_id', column)
        )
        op.create_index(f'ix_{table}_{column}', table, [column])
    op.create_table('audit_log',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('at', TIME, server_default=NOW, nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('username', sa.Text(), nullable=False),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('target_type', sa.Text(), nullable=False),
    sa.Column('target_id', sa.Text(), nullable=False),
    _text('target_name'),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    _text('request_id'),
    sa.Column('changes', postgresql.JSONB(none_as_null=True), server_default='{}', nullable=False),
    sa.CheckConstraint("outcome IN ('done', 'rejected')", name='audit_log_outcome'),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('audit_log_by_organization', 'audit_log', ['organization_id', 'id'])
    op.create_index('audit_log_by_target', 'audit_log', ['target_id', 'id'])


def downgrade() -> None:
    op.drop_table('audit_log')
    op.drop_table('chat_group_readers')
    op.drop_table('chat_user_readers')
    op.drop_index('api_tokens_by_user', table_name='api_tokens')
    for column in ('last_used_at', 'scopes', 'kind'):
        op.drop_column('api_tokens', column)
    op.drop_table('group_members')
    op.drop_table('groups')
    op.add_column('users', sa.Column('organization_id', sa.Uuid(), nullable=True))
    # a user had exactly one organization: the one joined first, or for users of none the oldest of all
    op.execute(
        "UPDATE users SET organization_id = coalesce("
        " (SELECT organization_id FROM memberships WHERE user_id = users.id ORDER BY created_at LIMIT 1),"
        " (SELECT id FROM organizations ORDER BY created_at LIMIT 1))"
    )
    op.alter_column('users', 'organization_id', nullable=False)
    op.create_foreign_key('users_organization_id_fkey', 'users', 'organizations', ['organization_id'], ['id'])
    op.drop_table('memberships')
    op.drop_table('user_identities')
    op.drop_index('users_email', table_name='users')
    for column in ('updated_at', 'site_role', 'status', 'email'):
        op.drop_column('users', column)
    for column in ('updated_at', 'display_name'):
        op.drop_column('organizations', column)
