"""Every setting of the collector: one frozen model, read once at start.

Each setting is an option of `collector serve` (`--ingest-port`), an environment variable
(`COLLECTOR_INGEST_PORT`) and a line of a TOML file (`ingest_port = 8080`, given by `--config` or
`COLLECTOR_CONFIG`); the option wins over the variable, the variable over the file. The help texts below
are the documentation.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.catalogue import SHIPPED_CATALOGUE
from schemas.policy import SHIPPED_POLICY
from schemas.problems import ConfigurationError, describe, read_toml

PREFIX = "COLLECTOR_"
# Longest path that every system accepts for a Unix socket, less the socket's own name.
LONGEST_DATA_PATH = 90


class Settings(BaseSettings):
    """What an operator can set, with units in the names."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    data: Path = Field(Path("data"), description="Directory that holds spool, secrets and the embedded engine.")
    ingest_host: str = Field("127.0.0.1", description="Address that takes reports. Put a TLS proxy before it.")
    ingest_port: int = Field(8080, ge=0, le=65535, description="Port that takes reports.")
    reports_host: str = Field("127.0.0.1", description="Address of the reports API; loopback only.")
    reports_port: int = Field(8081, ge=0, le=65535, description="Port of the reports API.")
    metrics_host: str = Field("127.0.0.1", description="Address of /metrics; loopback only.")
    metrics_port: int = Field(8082, ge=0, le=65535, description="Port of /metrics.")
    workers: int = Field(1, ge=1, le=64, description="Ingest processes that share the ingest port.")
    policy: Path = Field(SHIPPED_POLICY, description="The privacy policy as TOML; a tightened copy may stand here.")
    catalogue: Path = Field(SHIPPED_CATALOGUE, description="The products that may report, as TOML.")
    menu: Path | None = Field(None, description="The menu of published tables, as TOML; the shipped one if not set.")
    profile: Literal["standard", "strict"] = Field("standard", description="Noise profile of the menu.")
    max_body_bytes: int = Field(16_384, ge=512, le=1_048_576, description="Longest single report.")
    max_batch_bytes: int = Field(4_194_304, ge=4_096, le=67_108_864, description="Longest NDJSON batch.")
    max_batch_lines: int = Field(10_000, ge=1, le=100_000, description="Most lines of an NDJSON batch.")
    seal_after_seconds: float = Field(
        5.0, gt=0, le=300, description="A spool segment is handed to the store after this."
    )
    seal_after_bytes: int = Field(67_108_864, ge=4_096, description="... or when it is this long.")
    reserve_percent: float = Field(5.0, ge=0, le=50, description="Share of the disk kept free; below it, 507.")
    load_every_seconds: float = Field(1.0, gt=0, le=60, description="How often the store looks for sealed segments.")
    publish_after_minutes: int = Field(30, ge=1, le=120, description="A day is closed this long after 00:00 UTC.")
    publish_at_the_latest_after_hours: int = Field(
        48, ge=1, le=240, description="A day is closed as incomplete after this, even if a spool lags."
    )
    keep_after_release_days: int = Field(
        10, ge=0, le=60, description="Private rows are kept this long after their month is out."
    )
    log_format: Literal["json", "text"] = Field("json", description="Log lines for machines or for people.")
    documentation_url: str = Field("/v1/data", description="Page that answers link to; outcome codes are its headings.")

    @field_validator("reports_host", "metrics_host")
    @classmethod
    def _only_loopback(cls, host: str) -> str:
        if host != "localhost" and not _is_loopback(host):
            raise ValueError("must be a loopback address: it answers without sign-in")
        return host

    @model_validator(mode="after")
    def _ports_differ(self) -> Settings:
        ports = [p for p in (self.ingest_port, self.reports_port, self.metrics_port) if p]
        if len(set(ports)) != len(ports):
            raise ValueError("ingest_port, reports_port and metrics_port must differ")
        if len(str(self.data.absolute())) > LONGEST_DATA_PATH:
            raise ValueError(f"data: the absolute path may have at most {LONGEST_DATA_PATH} characters")
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
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
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in {*Settings.model_fields, "config"}
    ]
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems += [f"settings: {line}" for line in describe(error)]
    if problems:
        raise ConfigurationError(problems)
    return settings
