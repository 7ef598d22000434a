"""The tables as SQLAlchemy Core sees them: rows are read and written as values, never as live objects."""

from typing import Any, cast

from sqlalchemy import Table
from sqlmodel import SQLModel

from models import tables


def _core(model: type[SQLModel]) -> Table:
    return cast(Table, cast(Any, model).__table__)


ai_provider_keys = _core(tables.AiProviderKey)
ai_providers = _core(tables.AiProvider)
api_tokens = _core(tables.ApiToken)
audit_log = _core(tables.AuditRecord)
blobs = _core(tables.Blob)
budgets = _core(tables.Budget)
chat_group_readers = _core(tables.ChatGroupReader)
chat_user_readers = _core(tables.ChatUserReader)
chats = _core(tables.Chat)
compaction_thresholds = _core(tables.CompactionThreshold)
deployment_settings = _core(tables.DeploymentSetting)
drafts = _core(tables.Draft)
files = _core(tables.File)
gateway_calls = _core(tables.GatewayCall)
group_members = _core(tables.GroupMember)
groups = _core(tables.Group)
inbox_notifications = _core(tables.InboxNotification)
member_model_overrides = _core(tables.MemberModelOverride)
memberships = _core(tables.Membership)
messages = _core(tables.Message)
model_configs = _core(tables.ModelConfig)
model_group_readers = _core(tables.ModelGroupReader)
model_overrides = _core(tables.ModelOverride)
model_user_readers = _core(tables.ModelUserReader)
organizations = _core(tables.Organization)
queued_messages = _core(tables.QueuedMessage)
signing_keys = _core(tables.SigningKey)
spendings = _core(tables.Spending)
staged_edits = _core(tables.StagedEdit)
steps = _core(tables.Step)
tool_results = _core(tables.ToolResult)
user_ai_provider_keys = _core(tables.UserAiProviderKey)
user_identities = _core(tables.UserIdentity)
user_prompts = _core(tables.UserPrompt)
users = _core(tables.User)
