"""The command that shows what is wrong with an installation or a store."""

from typing import Annotated

import typer

from mmdet2tflite.cli.command_line import AsJson


def doctor(
    place: Annotated[
        str | None,
        typer.Argument(help="With --store: an experiment file, a folder or a URL."),
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="Compare every artefact with its digests instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the machine, the versions and the compatibility patches.

    Ends with status 1 if a distribution that the pipeline needs is missing, and with --store if an
    artefact is damaged. That is set aside, and made anew when it is needed.
    """
    from mmdet2tflite.cli.diagnosis import diagnose, print_diagnosis, print_json
    from mmdet2tflite.config.project import project_root

    if place is not None and not store:
        raise typer.BadParameter(f"{place!r} says which store is meant: add --store")
    if store:
        from mmdet2tflite.report.verification import print_verification

        sound = print_verification(project_root(), place, as_json=as_json)
    else:
        diagnosis = diagnose(project_root())
        (print_json if as_json else print_diagnosis)(diagnosis)
        sound = not diagnosis.missing
    if not sound:
        raise typer.Exit(1)
