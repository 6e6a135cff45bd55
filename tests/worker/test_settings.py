"""Settings come from the environment once, and mistakes name the variable."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from worker.settings import Decisions, Guarantee, Settings, SettingsError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings().group == "moderator"
    assert Settings().guarantee is Guarantee.EXACTLY_ONCE
    assert Settings().http_host == "127.0.0.1"


def test_every_field_is_a_variable() -> None:
    settings = Settings.from_environment(
        {
            "MODERATOR_BROKER": "kafka-1:9092,kafka-2:9092",
            "MODERATOR_TOPIC_PREFIX": "staging.",
            "MODERATOR_GUARANTEE": "at-least-once",
            "MODERATOR_DECISIONS": "all",
            "MODERATOR_STATEMENTS": "Yes",
            "MODERATOR_POLICIES": "/etc/moderator/pack",
            "MODERATOR_HTTP_PORT": "0",
            "MODERATOR_SESSION_TIMEOUT": "12.5",
        }
    )
    assert settings.broker == "kafka-1:9092,kafka-2:9092"
    assert settings.topic("posts") == "staging.posts"
    assert settings.guarantee is Guarantee.AT_LEAST_ONCE
    assert settings.decisions is Decisions.ALL
    assert settings.statements is True
    assert settings.policies == Path("/etc/moderator/pack")
    assert settings.http_port == 0
    assert settings.session_timeout == 12.5


def test_an_option_wins_over_its_variable_and_none_is_not_given() -> None:
    environment = {"MODERATOR_GROUP": "from-environment", "MODERATOR_BATCH": "10"}
    settings = Settings.from_environment(environment, group="from-option", batch=None)
    assert (settings.group, settings.batch) == ("from-option", 10)


@pytest.mark.parametrize(("text", "on"), [("true", True), ("1", True), ("FALSE", False), ("off", False)])
def test_a_switch_is_read_and_written_in_words(text: str, on: bool) -> None:
    settings = Settings.from_environment({"MODERATOR_STATEMENTS": text})
    assert settings.statements is on
    assert Settings.from_environment(settings.to_environment()).statements is on


def test_an_option_may_be_the_plain_text_of_a_choice() -> None:
    assert Settings.from_environment({}, guarantee="at-least-once").guarantee is Guarantee.AT_LEAST_ONCE


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BROKER", "kafka"),
        ("BROKER", "kafka:port"),
        ("BROKER", "kafka:70000"),
        ("BROKER", ","),
        ("TOPIC_PREFIX", "with space"),
        ("TOPIC_PREFIX", "x" * 250),
        ("GROUP", "\x07"),
        ("GUARANTEE", "exactly once"),
        ("DECISIONS", "some"),
        ("STATEMENTS", "maybe"),
        ("HTTP_PORT", "eighty"),
        ("HTTP_PORT", "65536"),
        ("BATCH", "0"),
        ("STATE_ACCOUNTS_IN_MEMORY", "99"),
        ("STATE_ACCOUNTS_IN_MEMORY", "many"),
        ("SESSION_TIMEOUT", "1"),
        ("SESSION_TIMEOUT", "soon"),
        ("LINGER", "0.5"),
        ("COMPRESSION", "zip"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("JUDGE", "no_colon"),
        ("MODEL_URL", "model.example/score"),
        ("MODEL_URL", "ftp://model.example/"),
        ("MODEL_URL", "http:///score"),
        ("MODEL_URL", "http://model.example:port/"),
        ("MODEL_URL", "http://[half"),
        ("MODEL_URL", "http://model.example/two words"),
        ("MODEL_URL", "https://ann:pass@model.example/"),
        ("MODEL_TIMEOUT", "0"),
        ("MODEL_RETRIES", "-1"),
        ("MODEL_RETRIES", "1.5"),
        ("MEDIA", "perhaps"),
        ("MEDIA_SCHEMES", "file,ftp"),
        ("MEDIA_FOLDERS", "relative/folder"),
        ("MEDIA_HOSTS", "https://cdn.example.com"),
        ("MEDIA_HOSTS", "cdn.example.com/path"),
        ("MEDIA_HOSTS", "ann:pass@cdn.example.com"),
        ("MEDIA_HOSTS", "cdn.example.com:port"),
        ("MEDIA_HOSTS", "s3://"),
        ("MEDIA_HOSTS", "s3://bucket/key"),
        ("MEDIA_S3_ENDPOINT", "minio:9000"),
        ("MEDIA_S3_ENDPOINT", "http://key:secret@minio:9000"),
        ("MEDIA_PROCESSES", "-1"),
        ("MEDIA_BATCH", "0"),
        ("MEDIA_NICE", "20"),
        ("MEDIA_MAX_BYTES", "0"),
        ("MEDIA_MAX_PIXELS", "1e6"),
        ("MEDIA_EXAMINE_TIMEOUT", "0"),
        ("MEDIA_BANK_RELOAD", "0"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_variable(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"MODERATOR_{name}"):
        Settings.from_environment({f"MODERATOR_{name}": text})


def test_a_password_in_the_models_address_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match="MODERATOR_MODEL_TOKEN_FILE") as raised:
        Settings.from_environment({"MODERATOR_MODEL_URL": "https://ann:s3cret@model.example/"})
    assert "s3cret" not in str(raised.value)


def test_a_model_of_the_operators_own_is_off_by_default_and_may_be_anywhere() -> None:
    assert Settings().model_url == ""
    settings = Settings.from_environment(
        {
            "MODERATOR_MODEL_URL": "https://model.example:8443/v1?a=b",
            "MODERATOR_MODEL_TOKEN_FILE": "/run/token",
        }
    )
    assert settings.model_url == "https://model.example:8443/v1?a=b"
    assert settings.model_token_file == Path("/run/token")
    assert Settings.from_environment(settings.to_environment()) == settings


def test_a_child_process_gets_the_same_settings() -> None:
    settings = Settings(
        broker="kafka:9092",
        guarantee=Guarantee.AT_LEAST_ONCE,
        policies=Path("/pack"),
        batch=7,
    )
    assert Settings.from_environment(settings.to_environment()) == settings
    assert Settings.from_environment(Settings().to_environment()) == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().group = "other"  # type: ignore[misc]  # that it fails is the point


def test_a_copy_is_checked_too() -> None:
    assert Settings().replace(batch=5).batch == 5
    with pytest.raises(SettingsError, match="MODERATOR_BATCH"):
        Settings().replace(batch=-1)


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_counts_as_unset(field: dataclasses.Field[object], text: str) -> None:
    assert Settings.from_environment({f"MODERATOR_{field.name.upper()}": text}) == Settings()


def test_the_case_of_the_log_level_does_not_matter() -> None:
    assert Settings.from_environment({"MODERATOR_LOG_LEVEL": "Warning"}).log_level == "warning"
    assert Settings.from_environment({}, log_level="DEBUG").log_level == "debug"


def test_lists_of_the_media_worker_are_read_from_variables_and_options() -> None:
    environment = {
        "MODERATOR_MEDIA_SCHEMES": "File, s3",
        "MODERATOR_MEDIA_FOLDERS": "/srv/media:/srv/more",
        "MODERATOR_MEDIA_HOSTS": "CDN.example.com:8443,s3://bucket",
        "MODERATOR_MEDIA_ALLOW_PRIVATE": "yes",
        "MODERATOR_MEDIA_BANKS": "/srv/banks",
    }
    settings = Settings.from_environment(environment)
    assert settings.media_schemes == ("file", "s3")
    assert settings.media_folders == (Path("/srv/media"), Path("/srv/more"))
    assert settings.media_hosts == ("cdn.example.com:8443", "s3://bucket")
    assert settings.media_allow_private is True
    assert Settings.from_environment(settings.to_environment()) == settings
    assert Settings.from_environment(environment, media_schemes="https").media_schemes == ("https",)


def test_nothing_may_be_loaded_until_somebody_says_so() -> None:
    assert Settings().media is False
    assert (Settings().media_schemes, Settings().media_folders, Settings().media_hosts) == ((), (), ())


def test_the_media_worker_has_a_group_of_its_own() -> None:
    assert Settings(group="g").for_media().group == "g-media"
    with pytest.raises(SettingsError, match="MODERATOR_GROUP"):
        Settings(group="g" * 200).for_media()
