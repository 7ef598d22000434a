"""Efforts that travel with messages, order of the queue"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = '0003'
down_revision: str | None = '0007'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column('chats', sa.Column('last_reasoning_effort', sa.Text(), nullable=True))
    for table in ('messages', 'queued_messages', 'drafts'):
        op.add_column(table, sa.Column('reasoning_effort', sa.Text(), nullable=True))
    op.add_column('queued_messages', sa.Column('position', sa.BigInteger(), server_default='0', nullable=False))


def downgrade() -> None:
    op.drop_column('queued_messages', 'position')
    for table in ('drafts', 'queued_messages', 'messages'):
        op.drop_column(table, 'reasoning_effort')
    op.drop_column('chats', 'last_reasoning_effort')
