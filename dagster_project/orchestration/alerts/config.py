"""Where alerts go: channels from the environment and from the workspace's `alerts.yaml`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dagster_project.errors import SeedbedError
from dagster_project.orchestration.alerts.scrub import environment_secrets, scrub, url_parts
from dagster_project.recipe.problems import DeclarationError, Problem
from dagster_project.recipe.yaml_source import Location, YamlSource, read_yaml

URLS_VARIABLE = "SEEDBED_ALERT_URLS"
FILE_VARIABLE = "SEEDBED_ALERTS_FILE"
UI_VARIABLE = "SEEDBED_UI_URL"
DEFAULT_FILE = "alerts.yaml"
DEFAULT_UI_URL = "http://127.0.0.1:3000"
FIELDS = ("urls", "ui_url", "include_rows")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}(?=://)")
_BETWEEN_URLS = re.compile(r",*\s+,*|,+(?=[A-Za-z][A-Za-z0-9+.-]*://)")


class AlertConfigError(SeedbedError):
    """An alerts file or variable that cannot be used. Never quotes a URL."""


@dataclass(frozen=True)
class Channel:
    """One Apprise URL. The URL is a secret; `name` is what may be shown.

    Attributes:
        name: scheme and the first hex digits of the URL's sha256, as in `slack://…1f3a`.
        url: the Apprise URL.
    """

    name: str
    url: str = field(repr=False)

    def scrub(self, error: str) -> str:
        """`error` without any piece of the URL, not even its host."""
        return scrub(error, url_parts(self.url, shortest=3))


@dataclass(frozen=True)
class AlertConfig:
    """How failures are told.

    Attributes:
        channels: where to; none means that failures are recorded but not sent.
        ui_url: address of the Dagster UI, for links.
        include_rows: whether alerts may quote example rows. Off by default.
        secrets: values that no alert may contain.
    """

    channels: tuple[Channel, ...] = ()
    ui_url: str = DEFAULT_UI_URL
    include_rows: bool = False
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @cached_property
    def _secrets(self) -> frozenset[str]:
        pieces = (url_parts(channel.url, shortest=8) for channel in self.channels)
        return self.secrets.union(*pieces)

    def scrub(self, text: str) -> str:
        """`text` fit for an alert: without the channels' and the environment's secrets."""
        return scrub(text, self._secrets)


def load_config(root: Path, environment: Mapping[str, str] | None = None) -> AlertConfig:
    """Read the alert settings of a workspace.

    URLs come from `SEEDBED_ALERT_URLS` (separated by white space or commas) and from the file
    named by `SEEDBED_ALERTS_FILE` (default: `alerts.yaml` in the workspace, if it is there), with
    the keys `urls` (list), `ui_url` (default: `SEEDBED_UI_URL`, else http://127.0.0.1:3000) and
    `include_rows` (default false).

    Args:
        root: the workspace's root folder; relative file names start from it.
        environment: variables; those of the process by default.

    Raises:
        AlertConfigError: naming file, line and field, when something is not as above.
    """
    environment = os.environ if environment is None else environment
    ui_url = environment.get(UI_VARIABLE) or DEFAULT_UI_URL
    if not _is_web_address(ui_url):
        raise AlertConfigError(f"{UI_VARIABLE} must start with http:// or https://")
    settings = _read_file(root, environment.get(FILE_VARIABLE))
    urls = _split(environment.get(URLS_VARIABLE, "")) + settings.get("urls", [])
    return AlertConfig(
        channels=named_channels(urls),
        ui_url=settings.get("ui_url", ui_url).rstrip("/"),
        include_rows=settings.get("include_rows", False),
        secrets=frozenset(environment_secrets(environment)),
    )


def named_channels(urls: Iterable[str]) -> tuple[Channel, ...]:
    """A channel for each different URL, under names that differ: 4 hex digits, more if needed."""
    unique = list(dict.fromkeys(urls))
    names: list[str] = []
    for digits in range(4, 65, 4):
        names = [_name(url, digits) for url in unique]
        if len(set(names)) == len(unique):
            break
    return tuple(Channel(name, url) for name, url in zip(names, unique, strict=True))


def _name(url: str, digits: int) -> str:
    scheme = _SCHEME.match(url)
    start = f"{scheme.group().lower()}://" if scheme else ""
    return f"{start}…{hashlib.sha256(url.encode()).hexdigest()[:digits]}"


def _split(text: str) -> list[str]:
    """URLs in `text`; a comma separates only where a new scheme follows, URLs may contain them."""
    return [url for url in _BETWEEN_URLS.split(text.strip().strip(",")) if url]


def _is_web_address(value: object) -> bool:
    return isinstance(value, str) and bool(re.match(r"https?://[^\s/]", value))


def _read_file(root: Path, named: str | None) -> dict:
    path = root / (named or DEFAULT_FILE)
    if not named and not path.exists():
        return {}
    try:
        return _settings(read_yaml(path))
    except DeclarationError as error:
        wrong = str(error)
    # Raised here, not in the handler: the parser's own error quotes the file, secrets and all.
    raise AlertConfigError(wrong + (f" ({FILE_VARIABLE} names it)" if named else ""))


def _settings(source: YamlSource) -> dict:
    data = source.data if source.data is not None else {}
    if not isinstance(data, dict):
        raise _wrong(source, (), f"must be a mapping with the keys {', '.join(FIELDS)}")
    for key in data:
        if key not in FIELDS:
            raise _wrong(source, (key,), "unknown field", allowed=FIELDS)
    if "urls" in data:
        if not isinstance(data["urls"], list):
            raise _wrong(source, ("urls",), "must be a list of Apprise URLs")
        for index, url in enumerate(data["urls"]):
            if not isinstance(url, str) or not url.strip():
                raise _wrong(source, ("urls", index), "must be an Apprise URL, as text")
        data["urls"] = [url.strip() for url in data["urls"]]
    if "ui_url" in data and not _is_web_address(data["ui_url"]):
        raise _wrong(source, ("ui_url",), "must be text that starts with http:// or https://")
    if "include_rows" in data and not isinstance(data["include_rows"], bool):
        raise _wrong(source, ("include_rows",), "must be true or false")
    return data


def _wrong(
    source: YamlSource, location: Location, message: str, allowed: tuple[str, ...] = ()
) -> DeclarationError:
    """The error at a place; names a key only if no part of a URL could stand there."""
    named = ".".join(str(part) for part in location)
    shown = named if re.fullmatch(r"[a-z_]{0,20}(\.\d+)?", named) else ""
    problem = Problem(source.path, source.line(location), shown, message, allowed=allowed)
    return DeclarationError([problem])
