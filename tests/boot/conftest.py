"""Two worlds under a really booted systemd, each played once: what their scripts found, by name."""

from __future__ import annotations

import os
import pathlib

import booted as container
import pytest

HERE = pathlib.Path(__file__).parent
BUILD = pathlib.Path(os.environ["HOLDFAST_BUILD"])


def play(script: pathlib.Path, *files: pathlib.Path) -> dict:
    if why := container.lacking():
        pytest.skip(why)
    return container.boot(BUILD, script, *files)


@pytest.fixture(scope="session")
def booted() -> dict:
    return play(HERE / "inside.py")


@pytest.fixture(scope="session")
def restarted() -> dict:
    """One entry an act."""
    return play(container.HERE / "restart_inside.py", BUILD / "tests/lab/holdfast-poller")
