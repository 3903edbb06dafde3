"""Settings come from the environment, are frozen, and fail early with a sentence."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError

import pytest

from evervec.config import Config
from evervec.errors import EvervecError


def test_an_empty_environment_leaves_the_database_to_libpq() -> None:
    config = Config.from_environment({})

    assert config.database_url == ""
    assert config.batch_size == 500


def test_the_url_of_the_command_line_wins_over_the_variable() -> None:
    env = {"EVERVEC_DATABASE_URL": "postgresql://a/x"}

    assert Config.from_environment(env, "postgresql://b/y").database_url == "postgresql://b/y"
    assert Config.from_environment(env).database_url == "postgresql://a/x"


def test_the_url_that_yoyo_wants_is_understood() -> None:
    config = Config.from_environment({"EVERVEC_DATABASE_URL": "postgresql+psycopg://h/db"})

    assert config.database_url == "postgresql://h/db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVERVEC_BATCH_SIZE", "many"),
        ("EVERVEC_BATCH_SIZE", "0"),
        ("EVERVEC_BATCH_SIZE", "1.5"),
        ("EVERVEC_LEASE_SECONDS", "nan"),
        ("EVERVEC_POLL_SECONDS", "1.01"),
        ("EVERVEC_REQUEST_TIMEOUT", "-1"),
        ("EVERVEC_LOCAL_PROCESSES", "0"),
        ("EVERVEC_PROFILES", "alice"),
        ("EVERVEC_PROFILES", "=openai"),
        ("EVERVEC_PROFILES", "alice=Open AI"),
        ("EVERVEC_PROFILES", "alice=openai,alice=azure"),
        ("EVERVEC_LOG_FORMAT", "xml"),
        ("EVERVEC_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(EvervecError) as error:
        Config.from_environment({name: value})

    assert name in error.value.message
    assert "\n" not in error.value.message


def test_tenants_are_pairs_with_commas_between() -> None:
    env = {"EVERVEC_PROFILES": " alice=azure_eu, a=b=openai-two ,*=openai,"}

    assert Config.from_environment(env).tenants == {
        "alice": "azure_eu",
        "a=b": "openai-two",
        "*": "openai",
    }


def test_an_offline_model_has_a_process_for_each_core_that_may_be_used() -> None:
    config = Config.from_environment({})

    assert config.local_processes == len(os.sched_getaffinity(0))


def test_a_request_may_outlast_its_lease_because_the_heart_beats() -> None:
    config = Config.from_environment({"EVERVEC_LEASE_SECONDS": "30"})

    assert config.request_timeout > config.lease_seconds


def test_a_malformed_url_is_not_repeated_because_it_may_hold_a_password() -> None:
    with pytest.raises(EvervecError) as error:
        Config.from_environment({"EVERVEC_DATABASE_URL": "postgres//me:hunter2@db/x"})

    assert "EVERVEC_DATABASE_URL" in error.value.message
    assert "hunter2" not in str(error.value)


def test_a_config_never_shows_the_url() -> None:
    assert "hunter2" not in repr(Config(database_url="postgresql://me:hunter2@db/x"))


def test_a_config_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().batch_size = 5  # type: ignore[misc]
