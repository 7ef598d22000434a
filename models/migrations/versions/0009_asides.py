"""Rows of calls beside the conversation, of which a turn may have any number"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = '0009'
down_revision: str | None = '0003'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.drop_index('messages_one_answer_per_step', table_name='messages')
    op.create_index('messages_one_answer_per_step', 'messages', ['chat_id', 'turn', 'step'], unique=True, postgresql_where=sa.text("role = 'assistant' AND NOT compressed AND NOT deleted"))


def downgrade() -> None:
    op.drop_index('messages_one_answer_per_step', table_name='messages')
    op.execute("DELETE FROM messages WHERE deleted AND visibility = 'model' AND step = 0 AND role = 'assistant'")
    op.create_index('messages_one_answer_per_step', 'messages', ['chat_id', 'turn', 'step'], unique=True, postgresql_where=sa.text("role = 'assistant' AND NOT compressed"))
