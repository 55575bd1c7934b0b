"""``python -m flows.services.automations --webhook URL``: Prefect tells a webhook what went wrong.

Registers all of configs/automations with the server that PREFECT_API_URL names.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
import yaml
from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.settings import get_current_settings

from mmdet2tflite.cli.command_line import run_command
from mmdet2tflite.config.project import project_root
from mmdet2tflite.errors import ConfigError
from tasks.servers.server import check_prefect

FOLDER = Path("configs", "automations")
BLOCK = "mmdet2tflite"
PLACEHOLDER = "WEBHOOK"
"""Stands in the files for the id of the block, which each server chooses itself."""


def register(
    webhook: Annotated[str, typer.Option(metavar="URL", help="Where messages are posted.")],
) -> None:
    """Make or replace the block and the automations.

    Raises:
        ConfigError: the URL is none, or PREFECT_API_URL is not set.
        ServiceError: no server answers there, or it wants another password.
    """
    if not webhook.startswith(("http://", "https://")):
        raise ConfigError(f"{webhook!r} is no address of a webhook", "http://… or https://…")
    server = get_current_settings().api.url
    if not server:
        raise ConfigError(
            "no Prefect server is named",
            "the one whose runs are watched",
            "source ~/.prefect/mmdet2tflite.sh, which `make serve` writes, or set PREFECT_API_URL",
        )
    check_prefect(server)
    block = Webhook(url=webhook, headers={"Content-Type": "application/json"})  # type: ignore[arg-type]  # pydantic makes secrets of them
    number = block.save(BLOCK, overwrite=True)
    for path in sorted((project_root() / FOLDER).glob("*.yaml")):
        text = path.read_text(encoding="utf-8").replace(PLACEHOLDER, str(number))
        asyncio.run(_replace(Automation.model_validate(yaml.safe_load(text))))


async def _replace(automation: Automation) -> None:
    """Two of a name would both act."""
    try:
        await (await Automation.aread(name=automation.name)).adelete()
        print(f"replaced: {automation.name}")
    except ValueError:  # there is none
        print(f"made: {automation.name}")
    await automation.acreate()


if __name__ == "__main__":
    run_command(register)
