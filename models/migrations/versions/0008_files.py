"""Files of chats, blobs, and keys of signed links"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = '0008'
down_revision: str | None = '0005'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    now = sa.text('now()')
    time = sa.DateTime(timezone=True)
    op.create_table('files',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('organization_id', sa.Uuid(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=False),
    sa.Column('chat_id', sa.Uuid(), nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('mime_type', sa.Text(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(), nullable=False),
    sa.Column('state', sa.Text(), server_default='arriving', nullable=False),
    sa.Column('purged', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', time, server_default=now, nullable=False),
    sa.Column('linked_at', time, nullable=True),
    sa.CheckConstraint("state IN ('arriving', 'ready', 'gone')", name='files_state'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id']),
    sa.ForeignKeyConstraint(['owner_id'], ['users.id']),
    sa.ForeignKeyConstraint(['chat_id'], ['chats.id'], ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('files_by_chat', 'files', ['chat_id', sa.text('linked_at DESC'), sa.text('id DESC')], unique=False)
    op.create_index('files_to_purge', 'files', ['created_at'], unique=False, postgresql_where=sa.text("NOT purged AND (state <> 'ready' OR chat_id IS NULL)"))
    op.create_table('blobs',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    # the bytes are images and compressed documents for the most part
    op.execute('ALTER TABLE blobs ALTER COLUMN data SET STORAGE EXTERNAL')
    op.create_table('signing_keys',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', time, server_default=now, nullable=False),
    sa.PrimaryKeyConstraint('id')
    )


def downgrade() -> None:
    for table in ('signing_keys', 'blobs', 'files'):
        op.drop_table(table)
