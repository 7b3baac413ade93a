"""`launch dashboard ENTITY/PROJECT`: the charts of a run's page as a saved view of a W&B project.

The runs of all recipes share it; a chart stays empty for runs that log nothing it draws.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from configs.errors import UserError
from launch.page.curves import CHARTS, Chart
from launch.trackers import STEP_METRIC, wandb_key_source

NAME = "R1 Foundry"
FIRST = "Overview"
EVALUATIONS = (
    Chart(
        FIRST,
        "Held-out problems",
        {"right": "eval/pass_at_1", "well formed": "eval/format_rate", "cut off": "eval/truncated"},
        "share",
        0.0,
        1.0,
    ),
    Chart(FIRST, "Length on held-out problems", {"mean": "eval/mean_length"}, "tokens"),
)
"""Which the page draws as marks in other charts."""
COLUMNS, ROWS = 3, 2
"""Charts of a section that are seen at once."""


def create_dashboard(place: str) -> int:
    """Save the view in this project, ENTITY/PROJECT, and print its address.

    Raises UserError without an API key, and where W&B refuses.
    """
    entity, _, project = place.partition("/")
    if not entity or not project or "/" in project:
        raise UserError(f"{place}: must be ENTITY/PROJECT, as in my-team/r1-foundry")
    if wandb_key_source() is None:
        raise UserError("W&B: no API key; run `.venv/bin/wandb login` or set WANDB_API_KEY")
    import wandb
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    view = workspace(entity, project)
    try:
        view.save()
    except (wandb.Error, WandbApiFailedError) as error:
        raise UserError(f"W&B did not save the view in {place}: {error}") from error
    print(view.url)
    return 0


def workspace(entity: str, project: str) -> Any:
    """The view, not yet saved (wandb_workspaces.workspaces.Workspace)."""
    import wandb_workspaces.workspaces as workspaces

    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        settings=workspaces.WorkspaceSettings(x_axis=STEP_METRIC),
        sections=[
            workspaces.Section(
                name=name,
                panels=[_panel(chart) for chart in charts],
                is_open=True,
                layout_settings=workspaces.SectionLayoutSettings(columns=COLUMNS, rows=ROWS),
            )
            for name, charts in sections().items()
        ],
    )


def sections() -> dict[str, list[Chart]]:
    """What a person looks at first, then everything, by group."""
    found: dict[str, list[Chart]] = {
        FIRST: [*EVALUATIONS, *(chart for chart in CHARTS if chart.key)]
    }
    for chart in CHARTS:
        found.setdefault(chart.group, []).append(chart)
    return found


def _panel(chart: Chart) -> Any:
    import wandb_workspaces.reports.v2 as reports

    return reports.LinePlot(
        title=chart.title,
        x=STEP_METRIC,
        metric_regex=pattern(list(chart.series.values())),
        title_y=chart.unit,
        range_y=(chart.low, chart.high),
    )


def pattern(metrics: Sequence[str]) -> str:
    """pattern(["actor/lr", "reward/*/mean"]) == "^(actor/lr|reward/.*/mean)$" """
    return f"^({'|'.join('.*'.join(map(re.escape, each.split('*'))) for each in metrics)})$"
