"""Who may read all calls of the gateway pages through them by time alone"""

from collections.abc import Sequence

from alembic import op

revision: str = '0015'
down_revision: str | None = '0014'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index('gateway_calls_by_time', 'gateway_calls', ['started_at', 'id'], unique=False)


def downgrade() -> None:
    op.drop_index('gateway_calls_by_time', table_name='gateway_calls')
