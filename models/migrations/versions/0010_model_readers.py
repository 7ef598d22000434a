"""Models that are not for everybody in their organization"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = '0010'
down_revision: str | None = '0009'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column('model_configs', sa.Column('everyone', sa.Boolean(), server_default='true', nullable=False))
    for principal, table in (('user', 'users'), ('group', 'groups')):
        op.create_table(
            f'model_{principal}_readers',
            sa.Column('model_config_id', sa.Uuid(), nullable=False),
            sa.Column(f'{principal}_id', sa.Uuid(), nullable=False),
            sa.ForeignKeyConstraint(['model_config_id'], ['model_configs.id'], ondelete='CASCADE'),
            sa.ForeignKeyConstraint([f'{principal}_id'], [f'{table}.id'], ondelete='CASCADE'),
            sa.PrimaryKeyConstraint('model_config_id', f'{principal}_id'),
        )
        op.create_index(
            f'ix_model_{principal}_readers_{principal}_id', f'model_{principal}_readers', [f'{principal}_id']
        )


def downgrade() -> None:
    op.drop_table('model_group_readers')
    op.drop_table('model_user_readers')
    op.drop_column('model_configs', 'everyone')
