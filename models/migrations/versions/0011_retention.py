"""Keys per caller, audit lines beside commands, and what retention looks for"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = '0011'
down_revision: str | None = '0010'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column('staged_edits', sa.Column('audit_line', postgresql.JSONB(none_as_null=True), nullable=True))
    op.drop_constraint('drafts_idempotency_key', 'drafts', type_='unique')
    op.create_unique_constraint('drafts_idempotency_key', 'drafts', ['chat_id', 'created_by', 'idempotency_key'])
    op.create_index('chats_archived', 'chats', ['updated_at'], unique=False, postgresql_where=sa.text('archived'))
    op.create_index('drafts_by_age', 'drafts', ['created_at'], unique=False, postgresql_using='brin')
    op.create_index('inbox_notifications_by_age', 'inbox_notifications', ['created_at'], unique=False, postgresql_using='brin')


def downgrade() -> None:
    op.drop_index('inbox_notifications_by_age', table_name='inbox_notifications')
    op.drop_index('drafts_by_age', table_name='drafts')
    op.drop_index('chats_archived', table_name='chats')
    op.drop_constraint('drafts_idempotency_key', 'drafts', type_='unique')
    # two callers may have used the same key by now; the first one keeps it
    op.execute("UPDATE drafts SET idempotency_key = NULL FROM drafts AS first WHERE first.chat_id = drafts.chat_id AND first.idempotency_key = drafts.idempotency_key AND (first.created_at, first.id) < (drafts.created_at, drafts.id)")
    op.create_unique_constraint('drafts_idempotency_key', 'drafts', ['chat_id', 'idempotency_key'])
    op.drop_column('staged_edits', 'audit_line')
