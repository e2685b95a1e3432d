"""Every setting: its ATOM_* variable, default and meaning, read once into one frozen object."""

from dataclasses import dataclass, fields
from typing import Any, Final, Self

from environs import Env

from atom.endpoints import (
    FLOW_HOSTS,
    check_hosts,
    check_networks,
    check_url,
    reached_at,
    split_bind,
)
from atom.errors import SettingsError
from atom.history_settings import HistorySettings
from atom.http_settings import HttpSettings
from atom.secret_settings import SecretSettings, all_keys
from atom.setting import setting as _setting
from atom.urls import check_broker_url, check_store_url

_MAX_HEADROOM: Final = 3600
_FLOW_GIVES_UP_SECONDS: Final = 60
_LONGEST_FLOW_HOURS: Final = 180 * 24
_MAY_BE_ZERO: Final = frozenset(
    ("progress_seconds", "history_retention_days", "tenant_requests_per_second")
)


@dataclass(frozen=True, kw_only=True)
class Settings(SecretSettings, HttpSettings, HistorySettings):
    """What the environment says, checked."""

    services: tuple[str, ...] = _setting(
        "ATOM_SERVICES",
        Env.list,
        (),
        "The services to serve, comma-separated: `package.module` (all it declares) or "
        "`package.module:attribute`. Installed packages may add more (entry points).",
    )
    redis_url: str = _setting(
        "ATOM_REDIS_URL",
        Env.str,
        "redis://127.0.0.1:6379/0",
        "The Redis that holds every execution; also `rediss://`, or `sentinel://` "
        "(docs/brokers.md). `atom up` starts one of its own where this is not set.",
    )
    broker_url: str = _setting(
        "ATOM_BROKER_URL",
        Env.str,
        "",
        "The Celery broker, Redis or RabbitMQ (`amqp://`, `amqps://`); the Redis above where it is "
        "empty.",
    )
    bind: str = _setting(
        "ATOM_BIND", Env.str, "127.0.0.1:8077", "Where the listener listens, `host:port`."
    )
    public_url: str = _setting(
        "ATOM_PUBLIC_URL",
        Env.str,
        "",
        "Where the flow platform reaches the listener, such as https://atom.example.com: what the "
        "console says to paste into it.",
    )
    listener_url: str = _setting(
        "ATOM_LISTENER_URL",
        Env.str,
        "",
        "Where the console and `atom invoke` find the listener; else `ATOM_BIND`.",
    )
    sandbox_bind: str = _setting(
        "ATOM_SANDBOX_BIND", Env.str, "127.0.0.1:8079", "Where the sandbox listens, `host:port`."
    )
    console_bind: str = _setting(
        "ATOM_CONSOLE_BIND", Env.str, "127.0.0.1:8078", "Where the console listens, `host:port`."
    )
    trusted_proxies: tuple[str, ...] = _setting(
        "ATOM_TRUSTED_PROXIES",
        Env.list,
        ("127.0.0.0/8", "::1/128"),
        "Networks of the proxies in front of the console. Their `X-Forwarded-For` names the client "
        "whose failed logins are counted, their `X-Forwarded-Proto` the scheme. A value replaces "
        "the default.",
    )
    sandbox_url: str = _setting(
        "ATOM_SANDBOX_URL",
        Env.str,
        "",
        "Where the console and `atom invoke` find the sandbox; else `ATOM_SANDBOX_BIND`.",
    )
    metrics_bind: str = _setting(
        "ATOM_METRICS_BIND",
        Env.str,
        "",
        "Where a worker or recovery answers `/metrics` (Prometheus), `host:port`; nowhere where it "
        "is empty. The listener answers on its own port.",
    )
    allow_anonymous: bool = _setting(
        "ATOM_ALLOW_ANONYMOUS",
        Env.bool,
        False,
        "Lets the listener listen elsewhere than on loopback without credentials: for a container "
        "whose port is published on 127.0.0.1 only. With the first credential it ends.",
    )
    callback_hosts: tuple[str, ...] = _setting(
        "ATOM_CALLBACK_HOSTS",
        Env.list,
        FLOW_HOSTS,
        "The hosts (or `host:port`) a callback may go to; plain http only to loopback ones and to "
        "those written as `http://host:port`.",
    )
    callback_networks: tuple[str, ...] = _setting(
        "ATOM_CALLBACK_NETWORKS",
        Env.list,
        (),
        "Networks such as `10.20.0.0/16` that those hosts may be in although they are not public.",
    )
    max_request_bytes: int = _setting(
        "ATOM_MAX_REQUEST_BYTES", Env.int, 5_242_880, "Larger requests are refused with 413."
    )
    sync_seconds: float = _setting(
        "ATOM_SYNC_SECONDS",
        Env.float,
        45.0,
        "How long a data or file request waits for its process; then it is answered with 504. "
        "Below 60, when the flow itself gives up.",
    )
    max_file_bytes: int = _setting(
        "ATOM_MAX_FILE_BYTES", Env.int, 104_857_600, "Larger uploads are refused with 413."
    )
    file_store: str = _setting(
        "ATOM_FILE_STORE",
        Env.str,
        "",
        "Where uploads are kept until their process has read them: an fsspec URL such as "
        "`s3://bucket/uploads` (needs the extra `files`); in Redis where it is empty.",
    )
    file_hours: float = _setting(
        "ATOM_FILE_HOURS", Env.float, 1.0, "When an upload that nobody read is forgotten."
    )
    flow_url: str = _setting(
        "ATOM_FLOW_URL",
        Env.str,
        "",
        "The flow platform that `execution.flow` calls, such as https://flow.boomi.com.",
    )
    flow_tenant: str = _setting(
        "ATOM_FLOW_TENANT",
        Env.str,
        "",
        "The tenant of those flows; the one whose flow asks where it is empty.",
    )
    flow_username: str = _setting(
        "ATOM_FLOW_USERNAME", Env.str, "", "Who runs them, where they are protected."
    )
    flow_password: str = _setting("ATOM_FLOW_PASSWORD", Env.str, "", "The password for that.")
    lease_seconds: float = _setting(
        "ATOM_LEASE_SECONDS",
        Env.float,
        10.0,
        "How long an execution stays with a worker that gives no sign of life.",
    )
    max_attempts: int = _setting(
        "ATOM_MAX_ATTEMPTS",
        Env.int,
        3,
        "An execution that lost its worker this often fails, and its flow hears so.",
    )
    republish_seconds: float = _setting(
        "ATOM_REPUBLISH_SECONDS",
        Env.float,
        10.0,
        "An accepted execution that has not started by then is published again.",
    )
    max_pending: int = _setting(
        "ATOM_MAX_PENDING",
        Env.int,
        100_000,
        "Where this many executions wait for a worker, new requests are refused with 503.",
    )
    tenant_requests_per_second: float = _setting(
        "ATOM_TENANT_REQUESTS_PER_SECOND",
        Env.float,
        0.0,
        "So many requests that start something are taken from each tenant, others get 429; 0: all.",
    )
    max_step_bytes: int = _setting(
        "ATOM_MAX_STEP_BYTES",
        Env.int,
        1_048_576,
        "What a step returns may take this much as JSON; a larger result fails the execution.",
    )
    cancel_grace_seconds: float = _setting(
        "ATOM_CANCEL_GRACE_SECONDS",
        Env.float,
        30.0,
        "How long a process may run on after its execution was cancelled, timed out or lost; then "
        "the worker process that runs it is killed (prefork only).",
    )
    shutdown_seconds: float = _setting(
        "ATOM_SHUTDOWN_SECONDS",
        Env.float,
        30.0,
        "How long a role that is asked to end may finish what it runs; the rest is handed back. "
        "Whoever ends it should wait 15 s longer before killing it.",
    )
    progress_seconds: float = _setting(
        "ATOM_PROGRESS_SECONDS",
        Env.float,
        5.0,
        "Between two progress callbacks of one execution; the latest message is sent. A flow "
        "looks for news about every 10 s.",
    )
    callback_timeout_seconds: float = _setting(
        "ATOM_CALLBACK_TIMEOUT_SECONDS",
        Env.float,
        20.0,
        "How long the flow may take to answer a callback.",
    )
    callback_hours: float = _setting(
        "ATOM_CALLBACK_HOURS",
        Env.float,
        24.0,
        "How long a callback is tried that the flow does not take; then it is parked. At most "
        "4320: no flow lives longer than 180 days.",
    )
    retention_days: float = _setting(
        "ATOM_RETENTION_DAYS", Env.float, 30.0, "How long finished executions are kept."
    )
    max_log_lines: int = _setting(
        "ATOM_MAX_LOG_LINES",
        Env.int,
        1000,
        "How many lines of its own log an execution keeps; the oldest go first.",
    )
    log_level: str = _setting("ATOM_LOG_LEVEL", Env.str, "INFO", "DEBUG, INFO, WARNING or ERROR.")
    log_format: str = _setting(
        "ATOM_LOG_FORMAT",
        Env.str,
        "auto",
        "`text` for people, `json` for programs; `auto` is text on a terminal and JSON elsewhere.",
    )
    flower_bind: str = _setting(
        "ATOM_FLOWER_BIND", Env.str, "127.0.0.1:5555", "Where Flower listens, `host:port`."
    )
    flower_username: str = _setting(
        "ATOM_FLOWER_USERNAME", Env.str, "", "Who may look at Flower; needed unless on loopback."
    )
    flower_password: str = _setting("ATOM_FLOWER_PASSWORD", Env.str, "", "The password for that.")
    flower_read_only: bool = _setting(
        "ATOM_FLOWER_READ_ONLY",
        Env.bool,
        True,
        "Whether Flower only shows; else whoever may look may also revoke tasks and stop workers.",
    )
    flower_prefix: str = _setting(
        "ATOM_FLOWER_PREFIX", Env.str, "", "The path under which a proxy serves Flower: `/flower`."
    )
    flower_database: str = _setting(
        "ATOM_FLOWER_DATABASE",
        Env.str,
        "",
        "Where Flower keeps what it has seen, saved every minute: a file; in memory without one.",
    )
    flower_link: str = _setting(
        "ATOM_FLOWER_LINK",
        Env.str,
        "",
        "Where people reach Flower, such as http://127.0.0.1:5555, for links to its tasks; without "
        "one there are no links.",
    )
    flower_url: str = _setting(
        "ATOM_FLOWER_URL",
        Env.str,
        "",
        "Where the console reaches Flower, such as http://flower:5555; with it the console shows "
        "Flower under its own `/flower`, to whom it lets in. Flower needs "
        "`ATOM_FLOWER_PREFIX=/flower`.",
    )

    @classmethod
    def from_env(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: naming the variable that is wrong.
        """
        env = Env()
        values: dict[str, Any] = {}
        for each in fields(cls):
            variable, read = each.metadata["variable"], each.metadata["read"]
            try:
                value = read(env, variable, each.default)
            except ValueError as error:  # as environs' own is
                raise SettingsError(f"{variable}: {error}") from None
            values[each.name] = tuple(value) if isinstance(value, list) else value
        values["secret_key"] = all_keys(values["secret_key"], values["secret_key_file"])
        settings = cls(**values)
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse values that do not fit together.

        Raises:
            SettingsError: naming the variable.
        """
        for each in fields(self):
            value = getattr(self, each.name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            least = "at least 0" if each.name in _MAY_BE_ZERO else "above 0"
            if is_number and not value > 0 and (value != 0 or each.name not in _MAY_BE_ZERO):
                raise SettingsError(f"{each.metadata['variable']} must be {least}, not {value}.")
        check_store_url("ATOM_REDIS_URL", self.redis_url)
        check_broker_url("ATOM_BROKER_URL", self.broker)
        if self.log_level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise SettingsError("ATOM_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.")
        if self.lease_seconds < 1 or self.lease_seconds > _MAX_HEADROOM:
            raise SettingsError(f"ATOM_LEASE_SECONDS must be from 1 to {_MAX_HEADROOM}.")
        if self.sync_seconds >= _FLOW_GIVES_UP_SECONDS:
            raise SettingsError(
                f"ATOM_SYNC_SECONDS must be below {_FLOW_GIVES_UP_SECONDS}, when the flow gives "
                f"up, not {self.sync_seconds}."
            )
        if self.callback_hours > _LONGEST_FLOW_HOURS:
            raise SettingsError(
                f"ATOM_CALLBACK_HOURS must be at most {_LONGEST_FLOW_HOURS}, the longest life of "
                f"a flow's state, not {self.callback_hours}."
            )
        for name in ("public", "listener", "sandbox", "flow", "flower"):
            check_url(f"ATOM_{name.upper()}_URL", getattr(self, f"{name}_url"))
        check_url("ATOM_FLOWER_LINK", self.flower_link)
        check_hosts("ATOM_CALLBACK_HOSTS", self.callback_hosts)
        check_networks("ATOM_CALLBACK_NETWORKS", self.callback_networks)
        check_networks("ATOM_TRUSTED_PROXIES", self.trusted_proxies)
        self.check_tls()
        if self.log_format not in ("auto", "text", "json"):
            raise SettingsError("ATOM_LOG_FORMAT must be auto, text or json.")
        if bool(self.flower_username) != bool(self.flower_password):
            missing = "PASSWORD" if self.flower_username else "USERNAME"
            raise SettingsError(f"ATOM_FLOWER_{missing} is missing: the two come together.")
        self.check_history()
        self.check_secrets()
        split_bind("ATOM_BIND", self.bind)
        for name in ("sandbox", "console", "flower"):
            split_bind(f"ATOM_{name.upper()}_BIND", getattr(self, f"{name}_bind"))
        if self.metrics_bind:
            split_bind("ATOM_METRICS_BIND", self.metrics_bind)

    @property
    def broker(self) -> str:
        """The broker in use."""
        return self.broker_url or self.redis_url

    @property
    def sandbox(self) -> str:
        """Where the sandbox is, without a slash at its end."""
        return (self.sandbox_url or f"http://{reached_at(self.sandbox_bind)}").rstrip("/")

    @property
    def listener(self) -> str:
        """Where the listener is found from here, without a slash at its end."""
        scheme = "https" if self.tls_cert else "http"
        return (self.listener_url or f"{scheme}://{reached_at(self.bind)}").rstrip("/")


def settings_table() -> list[tuple[str, str, str]]:
    """Variable, default and meaning of every setting, for the documentation."""
    return [
        (
            each.metadata["variable"],
            ",".join(each.default) if isinstance(each.default, tuple) else str(each.default),
            each.metadata["meaning"],
        )
        for each in fields(Settings)
    ]
