"""The commands of docs/sidecar.md, as the lab types them: with its own images, and as root already."""

from __future__ import annotations

import image
import page


def of_the_lab(command: str) -> str:
    return command.replace("sudo ", "").replace("registry.example/holdfast:1", image.IMAGE).replace("registry.example/nginx:stable", image.NGINX)


def set_up(pod: bool) -> list[str]:
    """What sets a host up."""
    command, = [line for line in page.commands("sidecar.md") if "holdfast-host-setup" in line]
    if not pod:
        command = command.replace("--pod registry.example/nginx:stable ", "")
    return ["bash", "-eo", "pipefail", "-c", of_the_lab(command)]
