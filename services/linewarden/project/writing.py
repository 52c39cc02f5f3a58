"""The files of a project."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linewarden.cli import ServiceName
from linewarden.commands.bundles import digest_of
from linewarden.commands.context import actor
from linewarden.demo.line import BUNDLE, VIEWS, demo_plan, simulated
from linewarden.project import explained
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.ids import Namespace
from linewarden_schemas.recipe import Recipe, ReviewRules, ViewSpec

_SERVICES = (
    *(ServiceName.INGEST, ServiceName.INSPECT, ServiceName.KEEPER, ServiceName.ROUTE),
    *(ServiceName.LINE, ServiceName.PROJECTOR, ServiceName.STATION),
)


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """Where a project goes and what it is of; `bundle` None is the demo's, with the simulated cameras."""

    folder: Path
    line: str
    camera: str
    bundle: Path | None
    pictures: Path | None
    now_ms: int


def write_project(plan: ProjectPlan) -> list[Path]:
    """Write every file; the paths, in the order in which people need them.

    Raises:
        ConfigurationError: where the bundle is none.
        InvalidId: for a name of the line that topics cannot begin with.
    """
    Namespace(plan.line)  # raises InvalidId for a name that topics could not begin with
    source = plan.bundle or BUNDLE
    digest, name = digest_of(source), source.resolve().name
    folder = plan.folder
    for below in ("bundles", "spool", "station", "systemd", "pictures"):
        (folder / below).mkdir(parents=True, exist_ok=True)
    target = folder / "bundles" / name
    if target.exists():
        raise ConfigurationError(f"{target} is there already; choose a new folder")
    shutil.copytree(source, target)
    views = tuple(ViewSpec(view_id=view, camera_id=camera) for camera, view in _cameras(plan))
    recipe = Recipe(
        recipe_id="my-product",
        version=1,
        product_id="my-product",
        bundle_digest=digest,
        views=views,
        review=ReviewRules(audit_share_of_passes=0.01),
        created_ms=plan.now_ms,
        created_by=actor(None),
        note="as linewarden init wrote it",
    )
    files = {
        "README.md": _readme(plan),
        "line.env": _settings(plan),
        "cameras.toml": _toml(plan),
        "recipe.json": recipe.model_dump_json(indent=2, exclude_none=True) + "\n",
        "systemd/linewarden@.service": _unit(plan),
        "systemd/linewarden.target": _target(),
    }
    for path, text in files.items():
        (folder / path).write_text(text, encoding="utf-8")
    return [folder / path for path in files]


def _cameras(plan: ProjectPlan) -> list[tuple[str, str]]:
    if plan.bundle is None:
        return [(f"cam-{view}", view) for view in VIEWS]
    return [(plan.camera, "view1")]


def _settings(plan: ProjectPlan) -> str:
    lines = ["# Settings that all services of the line share; a name that nobody knows is refused."]
    for name, (value, what) in explained.SETTINGS.items():
        lines += ["", f"# {what}", f"{name}={value.format(line=plan.line, folder=plan.folder)}"]
    return "\n".join(lines) + "\n"


def _toml(plan: ProjectPlan) -> str:
    lines = [
        "# The cameras of the line; README.md explains the keys, 'linewarden camera show' what a camera sees.",
        f'line_id = "{plan.line}"',
        'station_id = "st1"',
    ]
    options: Sequence[dict[str, Any]]
    if plan.bundle is None:
        options = simulated(demo_plan(1), 1_000_000, 2.0).cameras
    else:
        pictures = plan.pictures or plan.folder / "pictures"
        options = [{"kind": "folder", "camera_id": plan.camera, "view_id": "view1", "path": str(pictures.absolute())}]
    for camera in options:
        lines += ["", "[[cameras]]", *(f"{name} = {_value(one)}" for name, one in camera.items() if one is not None)]
    return "\n".join(lines) + "\n"


def _value(one: object) -> str:
    if isinstance(one, bool):
        return str(one).lower()
    if isinstance(one, int | float):
        return repr(one)
    if isinstance(one, list | tuple):
        return f"[{', '.join(map(_value, one))}]"
    return '"' + str(one).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unit(plan: ProjectPlan) -> str:
    return f"""[Unit]
Description=linewarden: %i
PartOf=linewarden.target
After=network-online.target

[Service]
EnvironmentFile={plan.folder}/line.env
ExecStart=/usr/bin/env linewarden run %i
WorkingDirectory={plan.folder}
# A process that loses its identity or its broker ends with a code; it is started again, and goes on where it was.
Restart=always
RestartSec=2
TimeoutStopSec=30
NoNewPrivileges=true
ProtectSystem=strict
ReadWritePaths={plan.folder}

[Install]
WantedBy=linewarden.target
"""


def _target() -> str:
    wants = " ".join(f"linewarden@{name.value}.service" for name in _SERVICES)
    return f"[Unit]\nDescription=A line of linewarden\nWants={wants}\n\n[Install]\nWantedBy=multi-user.target\n"


def _readme(plan: ProjectPlan) -> str:
    own = (
        "The cameras are simulated and the bundle is the demo's, which is qualified for these parts alone."
        if plan.bundle is None
        else "Parts pass on trust only while the bundle is promoted and a qualification holds: linewarden bundle show."
    )
    return f"""# {plan.line}

{own}

```sh
set -a; . ./line.env; set +a
linewarden check .
linewarden topics create
linewarden recipe add recipe.json
linewarden line activate {plan.line} my-product@1
linewarden line state {plan.line} production
linewarden users add NAME --role lead
```

Each service is a process, `linewarden run NAME`: {", ".join(one.value for one in _SERVICES)}. With systemd:

```sh
sudo cp systemd/* /etc/systemd/system/ && sudo systemctl daemon-reload && sudo systemctl enable --now linewarden.target
```

## line.env

{explained.table({name: what for name, (_, what) in explained.SETTINGS.items()})}

## cameras.toml

{explained.table(explained.CAMERA)}

## recipe.json

{explained.table(explained.RECIPE)}
"""
