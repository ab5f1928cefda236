"""Every setting of the collector: one frozen model, read once at start.

Each setting is an option of `collector serve` (`--ingest-port`), an environment variable
(`COLLECTOR_INGEST_PORT`) and a line of a TOML file (`ingest_port = 8080`, given by `--config` or
`COLLECTOR_CONFIG`); the option wins over the variable, the variable over the file. The help texts below
are the documentation.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from collector.flood import SMALLEST_BUDGET
from schemas.catalogue import SHIPPED_CATALOGUE
from schemas.policy import SHIPPED_POLICY
from schemas.problems import ConfigurationError, describe, read_toml

PREFIX = "COLLECTOR_"
# Variables with the prefix that are no settings: where those are, and secrets, which are read where they are used.
_NOT_SETTINGS = ("config", "token", "store_password")
# Longest path that every system accepts for a Unix socket, less the socket's own name.
LONGEST_DATA_PATH = 90
_REPORTS_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?/?"
)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
# Headers that say something else to the gate or to HTTP.
_OTHER_HEADERS = {"authorization", "connection", "content-length", "content-type", "cookie", "host", "origin"}
_OTHER_HEADERS |= {"transfer-encoding", "x-forwarded-for"}
_STORE_HOST = r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"
_STORE_URL = re.compile(
    rf"(?P<scheme>clickhouses?)://(?P<user>[A-Za-z0-9_.%+-]+)@(?P<hosts>{_STORE_HOST}(,{_STORE_HOST})*)/?"
)


def _split(given: object) -> object:
    """A list as one text, `a,b`, from an option or a variable; a list from a file stays one."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


def _networks(given: object) -> object:
    try:
        return tuple(ipaddress.ip_network(str(part), strict=False) for part in _split(given) or ())  # type: ignore[attr-defined]
    except ValueError:
        raise ValueError("is not a list of networks such as 10.0.0.0/8,::1") from None


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Networks = Annotated[tuple[_Network, ...], NoDecode, BeforeValidator(_networks)]
_Numbers = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """What an operator can set, with units in the names."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    data: Path = Field(Path("data"), description="Directory that holds spool, secrets and the embedded engine.")
    store_url: str | None = Field(
        None,
        description="A ClickHouse server, clickhouse://USER@HOST:PORT (HTTP) or clickhouses://... (TLS). Of several "
        "shards one server each: clickhouse://USER@HOST:PORT,HOST:PORT.",
    )
    store_tables: Literal["single", "sharded", "replicated"] = Field(
        "single",
        description="One server; the shards of its cluster 'telemetry'; or these with replicas. Chosen once.",
    )
    store_password_file: Path | None = Field(
        None,
        description="File with the password of the store's user; others must not be able to read it. Without it, the "
        "variable COLLECTOR_STORE_PASSWORD.",
    )
    store_timeout_seconds: int = Field(60, ge=1, le=3600, description="How long a ClickHouse server may be silent.")
    ingest_host: str = Field(
        "127.0.0.1", description="Address that takes reports; give it TLS, or a proxy that has it."
    )
    ingest_port: int = Field(8080, ge=0, le=65535, description="Port that takes reports.")
    reports_host: str = Field(
        "127.0.0.1", description="Address of dashboard and reports API; other than loopback only with reports_url."
    )
    reports_port: int = Field(8081, ge=0, le=65535, description="Port of dashboard and reports API.")
    reports_url: str | None = Field(
        None, description="Public address of the dashboard, https://usage.example.com: of the TLS proxy before it."
    )
    trusted_user_header: str | None = Field(
        None, description="Header in which a proxy that signs people in names them, as X-Forwarded-User: viewers."
    )
    trusted_user_proxies: _Networks = Field(
        (), description="Networks of the proxies whose trusted_user_header is believed. They must overwrite it."
    )
    metrics_host: str = Field("127.0.0.1", description="Address of /metrics; loopback only.")
    metrics_port: int = Field(8082, ge=0, le=65535, description="Port of /metrics.")
    workers: int = Field(1, ge=1, le=64, description="Ingest processes that share the ingest port.")
    tls_certificate: Path | None = Field(
        None, description="Certificate chain (PEM) for the ingest port; SIGHUP reads a renewed one."
    )
    tls_key: Path | None = Field(
        None, description="The certificate's private key (PEM); others must not be able to read it."
    )
    trusted_proxies: _Networks = Field(
        (), description="Networks of proxies whose X-Forwarded-For is believed, as 10.0.0.0/8,::1. Name yours."
    )
    policy: Path = Field(SHIPPED_POLICY, description="The privacy policy as TOML; a tightened copy may stand here.")
    catalogue: Path = Field(SHIPPED_CATALOGUE, description="The products that may report, as TOML.")
    menu: Path | None = Field(None, description="The menu of published tables, as TOML; the shipped one if not set.")
    profile: Literal["standard", "strict"] = Field("standard", description="Noise profile of the menu.")
    most_epsilon_per_report: float = Field(
        5.0, gt=0, le=100, description="Most that all releases together may reveal of one report; see `privacy`."
    )
    most_epsilon_per_licence_month: float = Field(
        2.0, gt=0, le=100, description="Most that a month's releases may reveal of one licence; see `privacy`."
    )
    max_body_bytes: int = Field(16_384, ge=512, le=1_048_576, description="Longest single report.")
    max_batch_bytes: int = Field(4_194_304, ge=4_096, le=67_108_864, description="Longest NDJSON batch.")
    max_batch_lines: int = Field(10_000, ge=1, le=100_000, description="Most lines of an NDJSON batch.")
    seal_after_seconds: float = Field(
        5.0, gt=0, le=300, description="A spool segment is handed to the store after this."
    )
    seal_after_bytes: int = Field(67_108_864, ge=4_096, description="... or when it is this long.")
    reserve_percent: float = Field(5.0, ge=0, le=50, description="Share of the disk kept free; below it, 507.")
    max_spool_bytes: int | None = Field(
        None, ge=1_048_576, description="Most bytes that wait in the spool; above it, 507. Shared by the workers."
    )
    behind_after_seconds: float = Field(
        120, gt=0, description="/readyz says degraded when a sealed segment has waited for this long."
    )
    max_in_flight: int = Field(2_000, ge=1, description="Requests that a worker handles at once; above it, 503.")
    max_in_flight_bytes: int = Field(
        67_108_864, ge=1_048_576, description="Bytes of batches that a worker holds at once; above it, 503."
    )
    max_connections: int = Field(
        4_000, ge=10, description="Connections of a worker; above it, the one that was idle longest is closed."
    )
    idle_seconds: float = Field(
        15, gt=0, le=3600, description="A connection that brings no whole request head in this time is closed."
    )
    request_seconds: float = Field(
        30, gt=0, le=600, description="A body that has not arrived in this time is answered with 408."
    )
    rate_per_second: float = Field(
        200, ge=0, description="Reports a second of one address in the long run, per worker; 0 = no limit. Then 429."
    )
    rate_burst: int = Field(
        10_000, ge=1, description="Reports of one address that may come at once: many machines share a NAT address."
    )
    new_values_per_day: int = Field(
        2_000,
        ge=SMALLEST_BUDGET,
        description="About how many new values a product's field may bring in a day and worker; more are 'other'.",
    )
    stopped_clients: _Numbers = Field(
        (), description="Client versions (the number in product-telemetry/1) that are told to stop, as 1,2: 410."
    )
    load_every_seconds: float = Field(1.0, gt=0, le=60, description="How often the store looks for sealed segments.")
    publish_after_minutes: int = Field(30, ge=1, le=120, description="A day is closed this long after 00:00 UTC.")
    publish_at_the_latest_after_hours: int = Field(
        48, ge=1, le=240, description="A day is closed as incomplete after this, even if a spool lags."
    )
    keep_after_release_days: int = Field(
        10, ge=0, le=60, description="Private rows are kept this long after their month is out."
    )
    silent_process_seconds: float = Field(
        60, ge=5, description="A process of ours that shows no life for this long is killed and started again."
    )
    log_format: Literal["json", "text"] = Field("json", description="Log lines for machines or for people.")
    documentation_url: str = Field("/v1/data", description="Page that answers link to; outcome codes are its headings.")

    @field_validator("metrics_host")
    @classmethod
    def _only_loopback(cls, host: str) -> str:
        if not _is_this_machine(host):
            raise ValueError("must be a loopback address: it answers without sign-in")
        return host

    @field_validator("reports_url")
    @classmethod
    def _is_one_site(cls, url: str | None) -> str | None:
        match = _REPORTS_URL.fullmatch(url) if url is not None else None
        if url is not None and (match is None or not 0 < int(match["port"] or 1) < 65536):  # noqa: PLR2004 - ports end there
            raise ValueError("must be https://HOST or https://HOST:PORT, without a path")
        if match and match["scheme"] == "http" and not _is_this_machine(match["host"].strip("[]")):
            raise ValueError("must be https: tokens and cookies would travel in clear")
        return url and url.rstrip("/")

    @field_validator("trusted_user_header")
    @classmethod
    def _means_nothing_else(cls, header: str | None) -> str | None:
        if header is not None and (not _HEADER.fullmatch(header) or header.lower() in _OTHER_HEADERS):
            raise ValueError("must be the name of a header that has no other meaning, such as X-Forwarded-User")
        return header

    @field_validator("trusted_user_proxies")
    @classmethod
    def _is_not_everybody(cls, networks: tuple[_Network, ...]) -> tuple[_Network, ...]:
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("must not hold every address: anyone could name any user")
        return networks

    @field_validator("store_url")
    @classmethod
    def _has_no_password(cls, url: str | None) -> str | None:
        match = _STORE_URL.fullmatch(url) if url is not None else None
        if url is not None and not (
            match and all(0 < int(host.rsplit(":", 1)[1]) < 65536 for host in match["hosts"].split(","))  # noqa: PLR2004 - ports end there
        ):
            raise ValueError("must be clickhouse://USER@HOST:PORT or clickhouses://..., its password in a file")
        return url

    @property
    def store_urls(self) -> tuple[str, ...]:
        """`store_url` of each shard, the entry first; none for the embedded engine."""
        match = _STORE_URL.fullmatch(self.store_url or "")
        return (
            tuple(f"{match['scheme']}://{match['user']}@{host}" for host in match["hosts"].split(",")) if match else ()
        )

    @model_validator(mode="after")
    def _ports_differ(self) -> Settings:
        ports = [p for p in (self.ingest_port, self.reports_port, self.metrics_port) if p]
        if len(set(ports)) != len(ports):
            raise ValueError("ingest_port, reports_port and metrics_port must differ")
        if len(str(self.data.absolute())) > LONGEST_DATA_PATH:
            raise ValueError(f"data: the absolute path may have at most {LONGEST_DATA_PATH} characters")
        if not _is_this_machine(self.reports_host) and not (self.reports_url or "").startswith("https://"):
            raise ValueError(
                "reports_host: other than a loopback address needs reports_url, the https address of the TLS proxy "
                "in front of it"
            )
        if (self.trusted_user_header is None) != (not self.trusted_user_proxies):
            raise ValueError("trusted_user_header and trusted_user_proxies are given together or not at all")
        if self.store_tables == "single" and len(self.store_urls) > 1:
            raise ValueError("store_url: names several servers, which needs store_tables = sharded or replicated")
        if self.store_tables != "single" and self.store_url is None:
            raise ValueError("store_tables: other than single needs store_url, one server of each shard")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are given together or not at all")
        if self.max_batch_bytes > self.max_in_flight_bytes:
            raise ValueError("max_in_flight_bytes must hold at least one batch of max_batch_bytes")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options and file (merged by `read_settings`) and environment; nothing else is looked at."""
        return (init_settings, env_settings)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_settings(config: Path | None = None, **options: Any) -> Settings:  # noqa: ANN401 - any setting
    """The settings from options, environment and file, in that order.

    Args:
        config: a TOML file of settings; `COLLECTOR_CONFIG` if not given.
        options: settings by name; None means not given.

    Raises:
        ConfigurationError: one line for each setting that is unknown or does not fit.
    """
    path = config or (Path(os.environ[f"{PREFIX}CONFIG"]) if os.environ.get(f"{PREFIX}CONFIG") else None)
    file = read_toml(path) if path else {}
    environment = {name.upper() for name in os.environ}
    values = {name: value for name, value in file.items() if f"{PREFIX}{name}".upper() not in environment}
    values |= {name: value for name, value in options.items() if value is not None}
    problems = [
        f"environment: {name} is not a setting"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in {*Settings.model_fields, *_NOT_SETTINGS}
    ]
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems += [f"settings: {line}" for line in describe(error)]
    if problems:
        raise ConfigurationError(problems)
    return settings
