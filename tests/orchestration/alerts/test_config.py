from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from dagster_project.orchestration.alerts.config import AlertConfigError, load_config

CANARY = "hunter2canary"


def test_urls_come_from_the_environment_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(
        "urls: [json://file/x, slack://a/b]\nui_url: https://ui.example/\ninclude_rows: true\n"
    )
    config = load_config(
        tmp_path,
        {"SEEDBED_ALERT_URLS": " slack://a/b, mailto://u:p@h?to=a@x.org,b@x.org\njson://env/y,"},
    )
    assert [channel.url for channel in config.channels] == [
        "slack://a/b",
        "mailto://u:p@h?to=a@x.org,b@x.org",
        "json://env/y",
        "json://file/x",
    ]
    assert config.ui_url == "https://ui.example"
    assert config.include_rows


def test_without_settings_there_are_no_channels(tmp_path: Path) -> None:
    config = load_config(tmp_path, {"SEEDBED_UI_URL": "http://ui:3000"})
    assert config.channels == ()
    assert config.ui_url == "http://ui:3000"
    assert not config.include_rows


def test_channels_are_shown_without_their_url(tmp_path: Path) -> None:
    config = load_config(tmp_path, {"SEEDBED_ALERT_URLS": f"slack://{CANARY}/x {CANARY}"})
    first, second = config.channels
    assert first.name.startswith("slack://…")
    assert len(first.name) == len("slack://…") + 4
    assert second.name.startswith("…")
    assert CANARY not in repr(config)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"urls: json://{CANARY}", ":1: urls: must be a list"),
        (f"include_rows: false\nurls:\n- json://{CANARY}\n- 7", ":4: urls.1: must be an Apprise"),
        ("ui_url: 127.0.0.1:3000", ":1: ui_url: must be text that starts with http"),
        ("urls: []\ninclude_rows: yes please", ":2: include_rows: must be true or false"),
        (f"- json://{CANARY}", ":1: must be a mapping"),
        (f"json://u:{CANARY}@host: x", ":1: unknown field"),
        (f"url: [json://{CANARY}]", ":1: url: unknown field; allowed: urls, ui_url, include_rows"),
        (f"urls: [json://{CANARY}", ": is not YAML"),
        (f"urls:\n  - a: b\n {CANARY}: x: y", ": is not YAML"),
    ],
)
def test_a_wrong_file_is_named_with_its_field_and_not_quoted(
    tmp_path: Path, text: str, place: str
) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(text)
    with pytest.raises(AlertConfigError) as caught:
        load_config(tmp_path, {})
    message = str(caught.value)
    assert message.startswith(str(file))
    assert place in message
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AlertConfigError, match=r"other\.yaml.*SEEDBED_ALERTS_FILE"):
        load_config(tmp_path, {"SEEDBED_ALERTS_FILE": "other.yaml"})


def test_a_wrong_ui_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(AlertConfigError, match="SEEDBED_UI_URL"):
        load_config(tmp_path, {"SEEDBED_UI_URL": "localhost"})


def test_texts_lose_the_secrets_of_channels_and_environment(tmp_path: Path) -> None:
    config = load_config(
        tmp_path,
        {"SEEDBED_ALERT_URLS": f"mailto://me:p%40ss{CANARY}@h", "LAB_API_KEY": "qwertyuiop"},
    )
    told = config.scrub(
        f"a p@ss{CANARY} b QWERTYUIOP c pg://me:pw@db d token=abcdefghi e Bearer abcdefgh1 "
        "token count: 4096, tokens = 12"
    )
    assert told == ("a … b … c pg://…@db d token=… e Bearer … token count: 4096, tokens = 12")
