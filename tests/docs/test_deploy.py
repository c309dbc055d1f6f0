"""The examples in deploy/ speak of what is there: commands, options, settings, events, files."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from packhouse import cli
from settings import FIELDS
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())


def _accepts(words: list[str]) -> None:
    """Let click read a command of packhouse without running it."""
    command = cli.commands[words[0]]
    command.make_context(words[0], words[1:], parent=click.Context(cli, info_name="packhouse"))


def _of_units() -> list[list[str]]:
    lines = re.findall(r"^ExecStart=\S+/packhouse (.+)$", "\n".join(path.read_text() for path in DEPLOY.glob("*.service")), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def _of_containers() -> list[list[str]]:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()
    default = re.search(r"^CMD (\[.+\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert default is not None
    return [*(service["command"] for service in services), yaml.safe_load(default.group(1))]


@pytest.mark.parametrize("words", [*_of_units(), *_of_containers()], ids=" ".join)
def test_every_command_is_one(words: list[str]) -> None:
    """Click accepts what a unit or a container starts."""
    _accepts(words)


def test_the_workflow_harvests() -> None:
    """The step of the GitHub Actions example is a command, and its jobs never run beside one another."""
    workflow = yaml.safe_load((DEPLOY / "github-actions.yml").read_text())
    assert workflow["concurrency"] == {"group": "harvest", "cancel-in-progress": False}
    step = next(step for step in workflow["jobs"]["harvest"]["steps"] if step.get("name") == "Harvest")
    found = re.search(r"packhouse\.py (harvest [^\"]+) ", step["run"])
    assert found is not None
    _accepts(shlex.split(found.group(1)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_settings_and_files_named_exist(path: Path) -> None:
    """No example sets a variable that nothing reads, or copies a file that is not there."""
    text = path.read_text()
    assert set(re.findall(r"\bPACKHOUSE_[A-Z_]+\b", text)) <= {field.variable for field in FIELDS}
    for name in set(re.findall(r"\b(?:deploy/[\w.-]+|docs/[\w.-]+\.md|requirements\.lock|packhouse\.py)\b", text)):
        assert (ROOT / name).exists(), name


def test_automations_listen_to_events_there_are() -> None:
    """What an automation expects, and what it quotes from it, is what a run emits."""
    source = (ROOT / "flows" / "announcing.py").read_text()
    for automation in yaml.safe_load((DEPLOY / "automations.yaml").read_text())["automations"]:
        trigger = automation["trigger"]
        for event in [*trigger["expect"], *trigger.get("after", [])]:
            assert f'_emit("{event}"' in source
        for key in re.findall(r"event\.payload\.(\w+)", str(automation["actions"])):
            assert f'"{key}":' in source


def test_the_docs_say_how_often_prefect_tries() -> None:
    """The table in docs/operations.md and the descriptions in prefect.yaml have the figures of flows/deployments.py."""
    deployed = (ROOT / "flows" / "deployments.py").read_text()
    table = (ROOT / "docs" / "operations.md").read_text()
    described = {each["name"]: each["description"] for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}
    found = re.findall(r"^(\w+) = .*retries=(\d), retry_delay_seconds=(\d+), timeout_seconds=(\d+) \* HOUR", deployed, re.MULTILINE)
    assert len(found) == 4
    for name, retries, delay, hours in found:
        tries, minutes = {"1": "once", "2": "twice"}[retries], int(delay) // 60
        row = next(line for line in table.splitlines() if line.startswith(f"| `{name}` |") and "hours" in line)
        for text in (row, described[name]):
            assert tries in text
            assert f"{minutes} minutes" in text
            assert f"{hours} hours" in text


def test_shell_of_the_workflow_is_shell() -> None:
    """Bash reads what the example runs."""
    workflow = yaml.safe_load((DEPLOY / "github-actions.yml").read_text())
    for step in workflow["jobs"]["harvest"]["steps"]:
        if "run" in step:
            subprocess.run(["bash", "-n"], input=step["run"].encode(), check=True)
