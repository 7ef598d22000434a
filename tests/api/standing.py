"""What each kind of caller is told by every operation that is not about one chat: a table, and nothing else.

What callers may do to a chat is in `test_permissions`.
"""

from dataclasses import dataclass, field
from typing import Any

CALLERS = ("owner", "org-owner", "org-admin", "auditor", "member", "site-owner", "other-tenant", "left")
"""The columns. `owner` is the member whose the things in the paths are; `other-tenant` owns another
organization, `left` is in none any more."""

TOLD = {".": "let in", "F": "403", "H": "404"}
"""The letters. `H`: existence is concealed. Who has no valid token is told 401, unless the row is open."""

EVERYBODY = "........"
CREATORS = "...F.FFF"
MEMBERS = "......HH"
MEMBERS_ONLY = ".....HHH"
MANAGERS = "F..FF.HH"
MANAGERS_CONCEALED = "H..HH.HH"
SELF_OR_MANAGERS = "...FF.HH"
SELF_OR_MANAGERS_CONCEALED = "...HH.HH"
SITE_OWNERS = "FFFFF.FF"
SITE_OWNERS_CONCEALED = "HHHHH.HH"
OWN = ".HHHHHHH"
NOBODY = "HHHHHHHH"
CALLERS_OF_MODELS = "HHHFHHHF"
"""Of a provider that there is not; what who may call models is answered else is in `tests/api/gateway`."""


@dataclass(frozen=True)
class Rule:
    """Who may do an operation, and how it is asked for. `{name}` stands for the id of a thing.

    Attributes:
        who: a letter per caller.
        body: what is sent as JSON.
        path: things in the path, where they are not those of these names.
        upload: a file is sent, in the place of JSON.
        open: no token is needed; the status is then the same for all, and this one.
        waits: who is let in waits for a worker, which is not here; then they are not sent in.
    """

    who: str
    body: Any = None
    path: dict[str, str] = field(default_factory=dict[str, str])
    upload: bool = False
    open: int | None = None
    waits: bool = False


_MODEL = {"ai_provider_id": "{provider}", "model": "{new}", "context_limit": 1000}
_PROVIDER = {"type": "anthropic", "name": "{new}", "organization_id": "{organization}"}
_VICTIM = {"user": "{victim}"}

RULES: dict[str, Rule] = {
    # no token is needed
    "getHealth": Rule(EVERYBODY, open=200),
    "getReadiness": Rule(EVERYBODY, open=503),
    "getMetrics": Rule(EVERYBODY, open=200),
    "listAuthMethods": Rule(EVERYBODY, open=200),
    "startSignIn": Rule(NOBODY, open=404),
    "acceptSignIn": Rule(NOBODY, open=404),
    "downloadFile": Rule(NOBODY, open=404),
    # of the caller's own, whoever that is
    "createChat": Rule(
        CREATORS, {"organization_id": "{organization}", "content": [{"type": "text", "text": "hi"}]}
    ),
    "listChats": Rule(EVERYBODY),
    "listChatsByWorkspace": Rule(EVERYBODY),
    "getUsage": Rule(EVERYBODY),
    "watchChats": Rule(EVERYBODY),
    "uploadFile": Rule(CREATORS, upload=True),
    "getFile": Rule(OWN),
    "makeDownloadLink": Rule(OWN),
    "listInboxNotifications": Rule(EVERYBODY),
    "watchInboxNotifications": Rule(EVERYBODY),
    "markInboxNotification": Rule(OWN, {"is_read": True}),
    "markAllInboxNotifications": Rule(EVERYBODY),
    "getUserPrompt": Rule(EVERYBODY),
    "putUserPrompt": Rule(EVERYBODY, {"custom_prompt": ""}),
    "listCompactionThresholds": Rule(EVERYBODY),
    "setCompactionThreshold": Rule(MEMBERS_ONLY, {"threshold_percent": 50}),
    "deleteCompactionThreshold": Rule(EVERYBODY),
    # users and their tokens
    "listUsers": Rule(EVERYBODY),
    "createUser": Rule("F..FF.FF", {"username": "{new}", "organization_ids": ["{organization}"]}),
    "getUser": Rule(MEMBERS),
    "editUser": Rule(SELF_OR_MANAGERS, {"name": "x"}),
    "setUserRoles": Rule("FFFFF.HH", {"roles": []}),
    "createToken": Rule(SELF_OR_MANAGERS, {}),
    "listTokens": Rule(SELF_OR_MANAGERS),
    "getToken": Rule(SELF_OR_MANAGERS),
    "revokeToken": Rule(SELF_OR_MANAGERS),
    # the organization, its members and groups
    "listOrganizations": Rule(EVERYBODY),
    "createOrganization": Rule(SITE_OWNERS, {"name": "{new}"}),
    "getOrganization": Rule(MEMBERS),
    "editOrganization": Rule(MANAGERS, {"display_name": "x"}),
    "listMembers": Rule(MEMBERS),
    "listMembersWithCount": Rule(MEMBERS),
    "getMember": Rule(MEMBERS),
    # nobody here knows somebody who is in no organization, but for the owners of the site
    "addMember": Rule("HHHHH.HH", {}, path={"user": "{stranger}"}),
    "setMemberRoles": Rule(MANAGERS, {"roles": ["member"]}, path=_VICTIM),
    "listGroups": Rule(MEMBERS),
    "createGroup": Rule(MANAGERS, {"name": "{new}"}),
    "getGroup": Rule(MEMBERS),
    "editGroup": Rule(MANAGERS, {"display_name": "x"}),
    "deleteGroup": Rule(MANAGERS),
    "listBudgets": Rule("F...F.HH"),
    "setBudget": Rule(MANAGERS, {"period": "total", "limit_micros": 10**12}),
    "removeBudget": Rule(MANAGERS),
    "listAudit": Rule("F...F..F"),
    # the deployment
    "getSystemPrompt": Rule(SITE_OWNERS_CONCEALED),
    "putSystemPrompt": Rule(SITE_OWNERS, {"system_prompt": ""}),
    "getPersonalModelOverrides": Rule(EVERYBODY),
    "putPersonalModelOverrides": Rule(SITE_OWNERS, {"allow_users": False}),
    "getRetentionDays": Rule(EVERYBODY),
    "putRetentionDays": Rule(SITE_OWNERS, {"retention_days": 30}),
    "getAutoArchiveDays": Rule(EVERYBODY),
    "putAutoArchiveDays": Rule(SITE_OWNERS, {"auto_archive_days": 0}),
    # models
    "listModels": Rule(MEMBERS),
    "createModel": Rule(MANAGERS, _MODEL),
    "getModel": Rule(MEMBERS),
    "editModel": Rule(MANAGERS, {"display_name": "x"}),
    "getModelAcl": Rule(MANAGERS_CONCEALED),
    "listModelAclCandidates": Rule(MANAGERS_CONCEALED),
    "editModelAcl": Rule(MANAGERS, {"user_roles": {}}),
    "listModelOverrides": Rule(MANAGERS_CONCEALED),
    "putModelOverride": Rule(MANAGERS_CONCEALED, {}),
    "listPersonalModelOverrides": Rule(SELF_OR_MANAGERS_CONCEALED),
    # the owner is refused because members do not choose models here
    "putPersonalModelOverride": Rule("F..HH.HH", {"mode": "deployment_default"}),
    "deleteModel": Rule(MANAGERS),
    # providers and the keys of users
    "listProviders": Rule("F..FF..F"),
    "createProvider": Rule("F..FF.FF", _PROVIDER),
    "getProvider": Rule("F..FF.HF"),
    "editProvider": Rule("F..FF.HF", {"display_name": "x"}),
    "checkProvider": Rule("F..FF.HF", {}, waits=True),
    "listProviderKeys": Rule(SELF_OR_MANAGERS),
    "putProviderKey": Rule(SELF_OR_MANAGERS, {"api_key": "sk-theirs"}),
    "deleteProviderKey": Rule(SELF_OR_MANAGERS),
    "deleteProvider": Rule("F..FF.HF"),
    # the gateway
    "createAnthropicMessage": Rule(CALLERS_OF_MODELS, {"model": "m"}),
    "submitAnthropicTokenCount": Rule(CALLERS_OF_MODELS, {"model": "m"}),
    "createOpenAIResponse": Rule(CALLERS_OF_MODELS, {"model": "m"}),
    "createOpenAIChatCompletion": Rule(CALLERS_OF_MODELS, {"model": "m"}),
    "listVendorModels": Rule(CALLERS_OF_MODELS),
    "getVendorModel": Rule(CALLERS_OF_MODELS, path={"name": "m"}),
    "listInterceptions": Rule(EVERYBODY),
    # last, because then they are gone
    "suspendUser": Rule(MANAGERS, path=_VICTIM),
    "activateUser": Rule(MANAGERS, path=_VICTIM),
    "removeMember": Rule(MANAGERS, path=_VICTIM),
    "deleteUser": Rule(MANAGERS),
    "endSession": Rule(EVERYBODY),
}
"""By operation, in the order in which they are asked for."""
