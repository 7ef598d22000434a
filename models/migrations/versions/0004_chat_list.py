"""Families, pins and read marks of chats; cost of messages, and search of their words"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = '0004'
down_revision: str | None = '0002'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_MESSAGE_WORDS = r"""
CREATE FUNCTION message_words(content json) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS $words$
SELECT to_tsvector('simple'::regconfig, left(string_agg(part ->> 'text', ' '), 100000))
  FROM jsonb_array_elements(
       CASE WHEN strpos(content::text, '\u0000') > 0
            THEN regexp_replace(content::text, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g')
            ELSE content::text
       END::jsonb) AS part
 WHERE part ->> 'type' = 'text'
$words$
"""


def upgrade() -> None:
    op.add_column('chats', sa.Column('parent_chat_id', sa.Uuid(), nullable=True))
    op.add_column('chats', sa.Column('root_chat_id', sa.Uuid(), nullable=True))
    op.create_foreign_key('chats_parent_chat_id_fkey', 'chats', 'chats', ['parent_chat_id'], ['id'], ondelete='CASCADE')
    op.create_foreign_key('chats_root_chat_id_fkey', 'chats', 'chats', ['root_chat_id'], ['id'], ondelete='CASCADE')
    op.add_column('chats', sa.Column('mode', sa.Text(), nullable=True))
    op.add_column('chats', sa.Column('pin_order', sa.Integer(), server_default='0', nullable=False))
    op.add_column('chats', sa.Column('last_read_message_id', sa.BigInteger(), nullable=True))
    op.add_column('chats', sa.Column('last_turn_summary', sa.Text(), nullable=True))
    op.add_column('chats', sa.Column('summary', sa.Text(), nullable=True))
    op.add_column('messages', sa.Column('cost_micros', sa.BigInteger(), nullable=True))
    op.create_table('staged_edits',
    sa.Column('command_id', sa.Text(), nullable=False),
    sa.Column('chat_id', sa.Uuid(), nullable=False),
    sa.Column('title', sa.Text(), nullable=True),
    sa.Column('labels', postgresql.JSONB(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['chat_id'], ['chats.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('command_id')
    )
    op.create_index('staged_edits_by_chat', 'staged_edits', ['chat_id'], unique=False)
    op.execute(_MESSAGE_WORDS)
    op.create_index('messages_by_words', 'messages', [sa.text('message_words(content)')], unique=False, postgresql_using='gin', postgresql_with={'gin_pending_list_limit': 512}, postgresql_where=sa.text("role IN ('user', 'assistant') AND visibility <> 'model' AND NOT deleted"))
    op.drop_index('chats_by_owner', table_name='chats')
    op.create_index('chats_listed', 'chats', ['owner_id', 'archived', sa.text('NULLIF(pin_order, 0)'), sa.text('updated_at DESC'), sa.text('id DESC')], unique=False, postgresql_where=sa.text('parent_chat_id IS NULL'))
    op.create_index('chats_by_parent', 'chats', ['parent_chat_id'], unique=False, postgresql_where=sa.text('parent_chat_id IS NOT NULL'))
    op.create_index('chats_by_root', 'chats', ['root_chat_id'], unique=False, postgresql_where=sa.text('root_chat_id IS NOT NULL'))


def downgrade() -> None:
    op.drop_index('messages_by_words', table_name='messages')
    op.execute('DROP FUNCTION message_words(json)')
    op.drop_table('staged_edits')
    for index in ('chats_by_root', 'chats_by_parent', 'chats_listed'):
        op.drop_index(index, table_name='chats')
    op.create_index('chats_by_owner', 'chats', ['owner_id', 'archived', sa.text('updated_at DESC'), sa.text('id DESC')], unique=False)
    op.drop_column('messages', 'cost_micros')
    for column in ('summary', 'last_turn_summary', 'last_read_message_id', 'pin_order', 'mode', 'root_chat_id', 'parent_chat_id'):
        op.drop_column('chats', column)
