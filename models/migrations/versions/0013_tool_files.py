"""Files that tools attach to their results"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = '0013'
down_revision: str | None = '0012'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column('tool_results', sa.Column('files', sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column('tool_results', 'files')
