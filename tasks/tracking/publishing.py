"""Shows people what a run found: in the terminal, and as artefacts of the Prefect flow run.

Called by the flow and not by a task, so that a run whose stages were all cached shows it, too.
"""

import re

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from mmdet2tflite.artifacts import Comparison, Dataset
from mmdet2tflite.data.prepare import PROBLEM, REPORT
from mmdet2tflite.report.columns import COLUMNS, cell
from mmdet2tflite.report.markdown import markdown
from mmdet2tflite.report.stored import read_comparison, remember_comparison
from mmdet2tflite.report.terminal import announce_problems, print_comparison
from mmdet2tflite.safe_text import plain
from mmdet2tflite.store.store import Store


def warn(store: Store, dataset: Dataset) -> None:
    """Say which problems of the data were mended or let pass; nothing where there are none."""
    found = {
        name.removeprefix(PROBLEM): round(number)
        for name, number in dataset.metrics.items()
        if name.startswith(PROBLEM)
    }
    if found:
        announce_problems(found, store.path(dataset, REPORT))


def publish(store: Store, comparison: Comparison) -> None:
    """Print the table; give the flow run a table and a text, whose history Prefect keeps by key.

    ``mmdet2tflite compare`` prints it from now on.
    """
    values = read_comparison(store, comparison)
    page = store.path(comparison, comparison.page)
    print_comparison(values, page)
    remember_comparison(store, comparison)
    key = re.sub("[^a-z0-9]+", "-", comparison.experiment.lower()).strip("-")
    table = [
        {"model": row["variant"]}
        | {column.heading: cell(row["metrics"], column) for column in COLUMNS}
        | {"failed": row["failure"]}
        for row in values["rows"]
    ]
    create_table_artifact(table, key=f"comparison-{key}", description=plain(comparison.summary))
    text = f"{markdown(values)}\n\nreport: {plain(str(page))}"
    create_markdown_artifact(text, key=f"summary-{key}")
