"""The settings, their documentation, and the environment files that must say the same as the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from workbench.settings import Settings
from workbench.settings_doc import env_example

REPOSITORY = Path(__file__).parent.parent
NO_ENV_FILE = {"_env_file": None}


def documented() -> set[str]:
    text = (REPOSITORY / ".env.example").read_text()
    return set(re.findall(r"^#? ?VIVA_([A-Z_]+)=", text, re.MULTILINE))


def test_every_setting_is_in_the_example_and_the_example_has_no_other():
    assert documented() == {name.upper() for name in Settings.model_fields}


def test_the_example_is_what_the_settings_say_of_themselves():
    assert (REPOSITORY / ".env.example").read_text() == env_example(), "run `python -m tests.test_settings`"


def test_every_setting_says_what_it_is_for():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_taking_every_line_of_the_example_as_it_stands_changes_nothing(tmp_path: Path, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"VIVA_{name.upper()}", raising=False)
    env_file = tmp_path / ".env"
    env_file.write_text(re.sub(r"^# (VIVA_)", r"\1", env_example(), flags=re.MULTILINE))
    assert Settings(_env_file=env_file) == Settings(**NO_ENV_FILE)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch):
    env_file = tmp_path / ".env"
    env_file.write_text("VIVA_PORT=7001\nVIVA_MAX_SESSIONS=9\n")
    monkeypatch.setenv("VIVA_PORT", "7002")
    settings = Settings(_env_file=env_file)
    assert (settings.port, settings.max_sessions) == (7002, 9)


def test_a_value_out_of_range_is_refused():
    with pytest.raises(ValidationError):
        Settings(port=70000, **NO_ENV_FILE)


def test_secrets_do_not_show_in_a_printed_setting():
    settings = Settings(password="hunter2", secret_key="k1", api_key="k2", **NO_ENV_FILE)
    assert not re.search("hunter2|k1|k2", repr(settings))


def environment_of_pyproject() -> str:
    """The conda environment that asks for what pyproject.toml asks for, development tools included."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in ("piper", "whisper", "postgres", "s3", "research", "dev"):
        wanted += project["optional-dependencies"][extra]
    return "\n".join(
        [
            "# For conda: `conda env create -f environment.yml`. The requirements are pyproject.toml's, held equal by",
            "# a test; `python -m tests.test_settings` writes both this file and .env.example anew.",
            "name: viva-workbench",
            "channels:",
            "  - conda-forge",
            "dependencies:",
            "  - python=3.11",
            "  - pip",
            "  - pip:",
            *(f'      - "{requirement}"' for requirement in [*wanted, "--editable ."]),
            "",
        ]
    )


def test_the_conda_environment_asks_for_what_pyproject_asks_for():
    written = (REPOSITORY / "environment.yml").read_text()
    assert written == environment_of_pyproject(), "run `python -m tests.test_settings`"
    environment = yaml.safe_load(written)
    assert environment["dependencies"][0] == "python=3.11"


if __name__ == "__main__":
    (REPOSITORY / "environment.yml").write_text(environment_of_pyproject())
    (REPOSITORY / ".env.example").write_text(env_example())
