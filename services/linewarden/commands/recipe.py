"""`linewarden recipe`: versioned, immutable settings of a product."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from .context import SOURCE, actor, context, now_ms, show

app = typer.Typer(help="Recipes: immutable versions of a product's settings.", no_args_is_help=True)


@app.command()
def example(
    bundle: Annotated[Path, typer.Option(help="Folder of the bundle that the recipe names.")],
    recipe_id: Annotated[str, typer.Option(help="Id of the recipe.")] = "my-product",
    cameras: Annotated[str, typer.Option(help="Cameras, one view each, separated by commas.")] = "cam1",
) -> None:
    """Print a recipe to start from, as the JSON that `add` reads."""
    from linewarden_schemas.recipe import Recipe, ViewSpec  # noqa: PLC0415

    from .bundles import digest_of  # noqa: PLC0415

    names = cameras.split(",")
    recipe = Recipe(
        recipe_id=recipe_id,
        version=1,
        product_id=recipe_id,
        bundle_digest=digest_of(bundle),
        views=tuple(ViewSpec(view_id=f"view{number}", camera_id=name) for number, name in enumerate(names, 1)),
        created_ms=now_ms(),
        created_by=actor(None),
    )
    typer.echo(recipe.model_dump_json(indent=2, exclude_none=True))


@app.command()
def add(file: Annotated[Path, typer.Argument(help="JSON of one recipe version; - reads standard input.")]) -> None:
    """Publish a recipe version. A version that exists is refused: recipes never change."""
    from linewarden_runtime.books import RecipeBook  # noqa: PLC0415
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415
    from linewarden_runtime.provision import recipe_record  # noqa: PLC0415
    from linewarden_schemas.recipe import Recipe  # noqa: PLC0415

    text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    recipe = Recipe.model_validate_json(text)
    here = context()
    with closing(RecipeBook(here.broker, here.namespace)) as book:
        known = book.get(recipe.ref())
    if known is not None and known != recipe:
        raise ConfigurationError(
            f"recipe {recipe.recipe_id}@{recipe.version} exists and differs; publish it as version {recipe.version + 1}"
        )
    if known is None:
        here.publish([recipe_record(here.namespace, recipe, SOURCE)])
    typer.echo(f"recipe {recipe.recipe_id}@{recipe.version} is published")


@app.command(name="list")
def list_(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show every recipe version."""
    from linewarden_runtime.books import RecipeBook  # noqa: PLC0415

    here = context()
    with closing(RecipeBook(here.broker, here.namespace)) as book:
        known = book.known()
    rows = [
        {
            "recipe": f"{recipe.recipe_id}@{recipe.version}",
            "product": recipe.product_id,
            "views": ", ".join(view.view_id for view in recipe.views),
            "bundle": recipe.bundle_digest[:12],
            "decide-by ms": recipe.time.decide_by_ms,
            "qualification": "void: a threshold of its own" if recipe.thresholds else "the bundle's",
            "by": recipe.created_by,
        }
        for recipe in known
    ]
    show(rows, as_json=as_json, empty="no recipe yet; start from: linewarden recipe example --bundle FOLDER")
