"""`linewarden recipe`: versioned, immutable settings of a product."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.context import SOURCE, actor, connect, in_one_line, now_ms, show
from linewarden.commands.options import Device, Json

if TYPE_CHECKING:
    from linewarden_runtime.recipes import KnownRecipes, RecipeVersion
    from linewarden_schemas.recipe import Recipe

app = typer.Typer(help="Recipes: immutable versions of a product's settings.", no_args_is_help=True)


@app.command()
def example(
    bundle: Annotated[Path, typer.Option(help="Folder of the bundle that the recipe names.")],
    recipe_id: Annotated[str, typer.Option(help="Id of the recipe.")] = "my-product",
    cameras: Annotated[
        str, typer.Option(help="Cameras, one view each, separated by commas; VIEW=CAMERA names the view.")
    ] = "cam1",
) -> None:
    """Print a recipe to start from, as the JSON that `add` reads."""
    from linewarden.commands.bundles import digest_of  # noqa: PLC0415
    from linewarden_schemas.recipe import Recipe, ViewSpec  # noqa: PLC0415

    pairs = [one.rpartition("=") for one in cameras.split(",")]
    views = [
        ViewSpec(view_id=view or f"view{number}", camera_id=camera) for number, (view, _, camera) in enumerate(pairs, 1)
    ]
    recipe = Recipe(
        recipe_id=recipe_id,
        version=1,
        product_id=recipe_id,
        bundle_digest=digest_of(bundle),
        views=tuple(views),
        created_ms=now_ms(),
        created_by=actor(None),
    )
    typer.echo(recipe.model_dump_json(indent=2, exclude_none=True))


@app.command()
def locate(
    file: Annotated[Path, typer.Argument(help="JSON of a recipe.", exists=True, dir_okay=False)],
    picture: Annotated[Path, typer.Argument(help="A good picture of a view.", exists=True, dir_okay=False)],
    box: Annotated[str, typer.Option(help="What tells where the part lies, in pixels: X,Y,WIDTH,HEIGHT.")],
    shift: Annotated[float, typer.Option(min=0.0, help="How far a part may lie from there, in pixels.")],
    turn: Annotated[float, typer.Option(min=0.0, help="By how many degrees it may be turned.")] = 0.0,
    score: Annotated[float, typer.Option(help="The least correlation at which it is the part.")] = 0.6,
    by: Annotated[str, typer.Option(help="What is compared: grey, or edges where the light changes.")] = "grey",
    view: Annotated[str, typer.Option(help="The view; may be left out where the recipe has one.")] = "",
    good: Annotated[Path | None, typer.Option(help="Folder of further good pictures to try.", exists=True)] = None,
    preview: Annotated[Path | None, typer.Option(help="Write a PNG with template, region and zones.")] = None,
) -> None:
    """Have a view's part located by a template of a good picture, and print the recipe with it, for `add`.

    The template is tried on its own picture, moved and turned by known amounts. Region and zones are told for the part
    as it lies in that picture. Exits 1 where a trial or a good picture fails.
    """
    from linewarden.commands.locating import taught  # noqa: PLC0415

    with in_one_line():
        done = taught(file, picture, box, by, view, good, preview, shift_px=shift, turn_deg=turn, score=score)
    for line in done.told:
        typer.echo(line, err=True)
    typer.echo(done.recipe.model_dump_json(indent=2, exclude_none=True))
    raise typer.Exit(0 if done.holds else 1)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="JSON of one recipe version; - reads standard input.")],
    bundles: Annotated[
        Path | None,
        typer.Option(
            help="The line's folder of bundle folders, to see that it has the recipe's.",
            envvar="LINEWARDEN_INSPECT__BUNDLES",
        ),
    ] = None,
) -> None:
    """Publish a recipe version. Refused is one that exists, since recipes never change, or that nobody could judge."""
    from linewarden.commands.bundles import facts_of  # noqa: PLC0415
    from linewarden_runtime.publishing import publish_recipe  # noqa: PLC0415
    from linewarden_schemas.recipe import Recipe  # noqa: PLC0415

    text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    recipe = Recipe.model_validate_json(text)
    _refuse_blind(recipe)
    here = connect()
    ref = publish_recipe(here.broker, here.namespace, recipe, SOURCE, facts_of(bundles, recipe.bundle_digest))
    typer.echo(f"recipe {ref.short} is published")
    void = _void(bundles, recipe)
    if void is not None:
        typer.echo(f"the bundle's qualification does not hold under it: {void}; see 'linewarden qualify --recipe'")


@app.command()
def measure(
    file: Annotated[Path, typer.Argument(help="JSON of the recipe version.", exists=True, dir_okay=False)],
    references: Annotated[
        Path,
        typer.Option(help="The station's folder of references by recipe.", envvar="LINEWARDEN_STATION__REFERENCES"),
    ],
    bundles: Annotated[
        Path, typer.Option(help="The line's folder of bundle folders.", envvar="LINEWARDEN_INSPECT__BUNDLES")
    ],
    view: Annotated[str, typer.Option(help="The view that limit samples show, where the recipe has several.")] = "",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure the recipe's limit samples as the line would, and write their figures beside them for the station."""
    from linewarden.commands.limit_samples import measured_samples  # noqa: PLC0415

    with in_one_line():
        rows = measured_samples(file, references, bundles, view, device, now_ms())
    show(rows, as_json=as_json, empty="the recipe has no limit samples")
    raise typer.Exit(1 if any(row["refused"] for row in rows) else 0)


def _refuse_blind(recipe: Recipe) -> None:
    """Raise ConfigurationError for a template by which nobody could tell where the part lies."""
    located = [(view.view_id, view.locate) for view in recipe.views if view.locate is not None]
    if not located:
        return
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415
    from linewarden_vision.inspecting.templates import unusable  # noqa: PLC0415

    for view_id, one in located:
        if (why := unusable(one)) is not None:
            raise ConfigurationError(f"recipe {recipe.ref().name} is not published: locate of view {view_id}: {why}")


@app.command(name="list")
def list_(as_json: Json = False) -> None:
    """Show every content of every recipe version, and what to do about a version that nobody may judge by."""
    from linewarden_runtime.books import RecipeBook  # noqa: PLC0415

    here = connect()
    with RecipeBook(here.broker, here.namespace) as book:
        known = book.all
    rows = [row for version in known.versions.values() for row in _rows(version, known)]
    show(rows, as_json=as_json, empty="no recipe yet; start from: linewarden recipe example --bundle FOLDER")


def _void(bundles: Path | None, recipe: Recipe) -> str | None:
    """Why the bundle's qualification, where it has one, does not speak of what a recipe lets pass."""
    from linewarden.commands.bundles import folder_of  # noqa: PLC0415

    folder = folder_of(bundles, recipe.bundle_digest)
    record = None if folder is None else folder / "qualification.json"
    if record is None or not record.is_file():
        return None
    from linewarden_vision.qualification import Qualification  # noqa: PLC0415

    return Qualification.from_file(record.read_bytes()).void_under(recipe)


def _promise(recipe: Recipe | None) -> str:
    from linewarden_domain.acceptance import criteria_digest  # noqa: PLC0415

    if recipe is not None and recipe.thresholds is not None:
        return "void: a threshold of its own"
    criteria = None if recipe is None else criteria_digest(recipe)
    return "the bundle's" if criteria is None else f"the bundle's, if with the criteria {criteria[:12]}"


def _rows(version: RecipeVersion, known: KnownRecipes) -> list[dict[str, Any]]:
    from linewarden_runtime.publishing import next_version  # noqa: PLC0415

    problem = version.problem
    recipe_id = version.name.rpartition("@")[0]
    conflict = (
        f"in conflict, its visits divert: it {problem}. Publish what is right as version "
        f"{next_version(known, recipe_id)} with 'linewarden recipe add', and run 'linewarden line activate'"
    )
    contents: list[tuple[str | None, Recipe | None]] = [*version.contents.items()] or [(None, None)]
    return [
        {
            "recipe": version.name,
            "digest": digest or "-",
            "state": "known" if problem is None else conflict,
            "product": recipe.product_id if recipe else "-",
            "views": ", ".join(view.view_id for view in recipe.views) if recipe else "-",
            "bundle": recipe.bundle_digest[:12] if recipe else "-",
            "decide-by ms": recipe.time.decide_by_ms if recipe else "-",
            "qualification": _promise(recipe),
            "by": recipe.created_by if recipe else "-",
        }
        for digest, recipe in contents
    ]
