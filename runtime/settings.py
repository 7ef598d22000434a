"""Every setting of every process, read from the environment once, at the composition root.

Temporal's own variables (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS*`)
are read by its SDK, see `runtime.temporal`.
"""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Names in the environment are the field names in capitals, with the prefix `PERDURE_` except where
    an alias names a variable that other software uses, too. Units are in the names."""

    model_config = SettingsConfigDict(
        env_prefix="PERDURE_",
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # passwords and keys are among it
    )

    # Connections
    database_url: str = Field(
        default="postgresql://postgres@127.0.0.1:5432/perdure", validation_alias="DATABASE_URL"
    )
    redis_url: str = Field(default="redis://127.0.0.1:6379/0", validation_alias="REDIS_URL")
    database_pool_size: int = Field(default=10, ge=1, description="Connections one process may hold.")
    temporal_ui_url: str | None = Field(default=None, validation_alias="TEMPORAL_UI_URL")
    task_queue: str = "perdure"

    # API process
    api_host: str = "127.0.0.1"
    api_port: int = 8700
    command_timeout_seconds: float = Field(
        default=5.0, description="How long a command may wait for a worker before it is withdrawn."
    )
    sweep_interval_seconds: float = Field(
        default=10.0, description="How often lost drafts and chats without a workflow are looked for."
    )
    sweep_age_seconds: float = Field(
        default=30.0, description="Drafts and running chats untouched for this long are swept."
    )
    retention_interval_seconds: float = Field(
        default=3600.0, gt=0, description="How often what is old is looked for."
    )
    receipt_days: float = Field(
        default=30.0,
        gt=0,
        description="How long an Idempotency-Key is known. Archived chats keep the ledgers of their tool "
        "calls as long.",
    )
    read_notification_days: float = Field(
        default=90.0, gt=0, description="Notifications that were read are deleted after this long."
    )
    poll_interval_seconds: float = Field(
        default=10.0, description="Streams look at the rows this often, in case a wake-up was lost."
    )
    stream_life_seconds: float = Field(
        default=3600.0,
        gt=0,
        description="Streams that are open this long are ended, up to a tenth earlier; their readers resume.",
    )
    public_url: str | None = Field(
        default=None, description="Address that browsers reach the API at, if not the one of their requests."
    )
    oidc_issuer_url: str | None = Field(
        default=None, description="OpenID provider that users sign in with; unset: there is none."
    )
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Unset: a public client, which PKCE alone protects."
    )
    oidc_scopes: str = "openid profile email"
    oidc_create_users: bool = Field(
        default=True, description="Whoever the provider lets in becomes a user at the first sign-in."
    )
    oidc_email_domains: list[str] = Field(
        default_factory=list[str],
        description="Only who has a verified address of one of these domains may sign in; empty: everybody.",
    )
    oidc_organization: str = Field(
        default="default", description="Name of the organization that new users become members of."
    )
    session_seconds: float = Field(
        default=7 * 86400.0, gt=0, description="After this long a browser has to sign in again."
    )
    rate_limit_per_minute: int = Field(
        default=3000, ge=0, description="Requests that one token may make in a minute; 0: any number."
    )
    rate_limit_per_minute_and_address: int = Field(
        default=300, ge=0, description="The same for one address, of requests without a valid token."
    )
    access_check_seconds: float = Field(
        default=3.0, gt=0, description="Open streams of those who may read no more end after about this long."
    )
    allowed_origins: list[str] = Field(
        default_factory=list[str],
        description='Origins of pages of other sites that may use the API: ["https://chat.example.com"].',
    )

    # Chats' workflows, as the API starts them
    idle_seconds: float = Field(
        default=60.0, gt=0, description="A chat's workflow completes after this long without work."
    )
    events_per_run: int = Field(
        default=1000,
        ge=10,
        description="A workflow continues as new beyond this many history events: a cold worker replays "
        "about 0.4 ms for each.",
    )
    action_timeout_seconds: float = Field(
        default=300.0,
        gt=0,
        description="A client has this long to give the results of its tools, a person to approve a call.",
    )

    titles: bool = Field(
        default=True, description="A model finds the title of a new chat, beside its first turn."
    )
    turn_labels: bool = Field(
        default=True, description="A model says in a few words what a finished turn has done."
    )

    # Worker process
    worker_metrics_host: str = "127.0.0.1"
    worker_metrics_port: int = Field(default=0, description="0: no metrics server.")
    max_concurrent_steps: int = Field(
        default=500, ge=1, description="Model calls and tools one worker runs at once; each holds a slot."
    )
    graceful_shutdown_seconds: float = Field(
        default=20.0, description="Steps may end by themselves for this long after SIGTERM."
    )
    workflow_sandbox: bool = Field(
        default=False, description="Temporal's sandbox finds nondeterminism but costs 15 % of throughput."
    )

    # Sandbox
    sandbox: bool = Field(
        default=True, description="Offer tools for commands and files, if there is a sandbox."
    )
    workspace_dir: Path | None = Field(
        default=None, description="Where the files of chats are; unset: tools that need a sandbox are off."
    )
    sandbox_network: bool = Field(
        default=False, description="Commands reach the network, also what listens on this machine only."
    )
    sandbox_memory_bytes: int = Field(
        default=4 * 1024**3, ge=64 * 1024**2, description="Private memory one process in a sandbox may have."
    )
    sandbox_processes: int = Field(
        default=512, ge=16, description="Processes and threads one sandbox may have."
    )

    # Models
    anthropic_api_key: SecretStr | None = Field(default=None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str | None = Field(default=None, validation_alias="ANTHROPIC_BASE_URL")
    anthropic_model: str = Field(
        default="claude-sonnet-4-5", description="Model set up at first start when a key is given."
    )
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    openai_model: str = Field(default="gpt-5.1", description="The same for OpenAI.")
    master_keys: SecretStr | None = Field(
        default=None,
        description="Keys that seal what is secret in the database, newest first, separated by commas. "
        "`perdure keys new` makes one.",
    )
    master_key_file: Path | None = Field(default=None, description="The same from a file, one a line.")
    demo_model_url: str | None = Field(
        default=None, description="Address of the built-in demo model; unset: it is not offered."
    )
    first_part_timeout_seconds: float = Field(
        default=60.0, description="A model that says nothing for this long after the call is retried."
    )
    silence_timeout_seconds: float = Field(
        default=600.0, description="The same between two parts of an answer."
    )
    compaction_timeout_seconds: float = Field(
        default=90.0, description="A summary that takes longer is given up; the chat goes on without it."
    )
    max_model_attempts: int = Field(
        default=25, ge=1, description="Model calls that may fail in a row before the chat rests in `error`."
    )
    retry_total_seconds: float = Field(
        default=1800.0, description="Failing calls of one step are not begun anew after this long."
    )

    gateway_unlisted_models: bool = Field(
        default=True,
        description="The gateway lets models of a provider be called that the organization does not list.",
    )

    # Files
    blobs_url: str | None = Field(
        default=None,
        description="Where files are kept: `s3://bucket/prefix`, with the usual AWS variables beside it; "
        "unset: in the database.",
    )
    unused_file_days: float = Field(
        default=7.0, gt=0, description="A file that no message has named for this long is deleted."
    )

    # Process
    data_dir: Path | None = Field(default=None, description="Where `migrate` leaves the first token.")
    log_level: str = "info"
    log_format: str = Field(default="console", pattern="^(console|json)$")

    @model_validator(mode="after")
    def _sweep_only_what_is_lost(self) -> Self:
        if self.sweep_age_seconds <= self.command_timeout_seconds:
            raise ValueError(
                "PERDURE_SWEEP_AGE_SECONDS must be more than PERDURE_COMMAND_TIMEOUT_SECONDS: commands would "
                "be withdrawn that are still waited for"
            )
        return self
