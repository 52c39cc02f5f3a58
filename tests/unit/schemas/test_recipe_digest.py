"""A recipe is told by its content: one digest for every reader, another one for every other content."""

import json

import pytest

from linewarden_schemas.envelope import decode_frame, encode_frame
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe, ReviewRules, Thresholds
from linewarden_schemas.samples import FRAME_METADATA, RECIPE


def reread(recipe: Recipe, **changes: object) -> Recipe:
    return Recipe.from_json(json.dumps(json.loads(recipe.to_json()) | changes).encode())


def test_a_recipe_keeps_its_digest_on_the_way_through_the_topic() -> None:
    assert reread(RECIPE).digest() == RECIPE.digest() == RECIPE.ref().digest


def test_the_digest_does_not_depend_on_spaces_order_or_how_a_number_is_written() -> None:
    body = json.loads(RECIPE.to_json())
    body["review"]["audit_share_of_passes"] = 1
    whole = Recipe.from_json(json.dumps(body).encode())
    body["review"]["audit_share_of_passes"] = 1.0
    backwards = json.dumps(dict(reversed(body.items())), indent=4).encode()
    assert Recipe.from_json(backwards).digest() == whole.digest()


@pytest.mark.parametrize(
    "change",
    [{"note": "by hand"}, {"thresholds": Thresholds(defect=0.5, suspicion=0.9)}, {"review": ReviewRules()}],
)
def test_another_content_has_another_digest(change: dict[str, object]) -> None:
    other = RECIPE.model_copy(update=change)
    assert other.digest() != RECIPE.digest()
    assert reread(other).digest() == other.digest()


def test_fields_of_a_newer_writer_count_and_stay() -> None:
    newer = reread(RECIPE, humidity=40, zones=[*json.loads(RECIPE.to_json())["zones"]])
    assert newer.digest() != RECIPE.digest()
    assert Recipe.from_json(newer.to_json()).digest() == newer.digest()


def test_a_default_that_an_older_writer_did_not_know_changes_no_digest() -> None:
    body = json.loads(RECIPE.to_json())
    del body["review"], body["verdict_rule"]
    old = Recipe.from_json(json.dumps(body).encode())
    assert old.review == ReviewRules()
    assert json.loads(old.to_json()) == body
    assert Recipe.from_json(old.to_json()).digest() == old.digest() != RECIPE.digest()


def test_a_written_recipe_names_its_defaults() -> None:
    body = json.loads(Recipe.from_json(RECIPE.to_json()).to_json())
    assert body["time"]["decide_by_ms"] == 10_000
    assert body["review"]["reviews_required"] == 1


def test_references_are_compared_by_version_and_by_content_where_both_know_it() -> None:
    known, old = RECIPE.ref(), RecipeRef(recipe_id="bracket", version=3)
    assert known.is_same(old)
    assert old.is_same(known)
    assert not known.is_same(known.model_copy(update={"digest": "0" * 64}))
    assert not old.is_same(RecipeRef(recipe_id="bracket", version=4))
    assert old.sharper(known) == known.sharper(old) == known
    assert recipe_key("bracket", 3, known.digest) == f"bracket@3@{known.digest}"


@pytest.mark.parametrize("ref", [RECIPE.ref(), RecipeRef(recipe_id="bracket", version=3)])
def test_a_frame_carries_the_digest_of_its_recipe_and_may_lack_it(ref: RecipeRef) -> None:
    meta = FRAME_METADATA.model_copy(update={"recipe": ref})
    sent = encode_frame(meta, b"picture", source="/line1/ingest")
    assert decode_frame(sent.headers, sent.value).meta.recipe == ref
