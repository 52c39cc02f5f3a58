from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linewarden_inspect.offline.folder import Options, inspect_listing
from linewarden_inspect.offline.listing import ListedPicture, Listing
from linewarden_inspect.offline.map_files import difference
from linewarden_inspect.offline.results import PartsInOrder, Result, scored
from linewarden_schemas.vocabulary import Routing, Verdict, VerdictRule
from linewarden_vision.inspector import ViewScore
from linewarden_vision.standing import UNTRUSTED_STAGES, OkBacking, OkDoubt
from tests.unit.vision.helpers import small_card


def entry(name: str) -> ListedPicture:
    return ListedPicture(name, name, Path(name))


def score(p_defect: float, suspicion: float, *, mask: bool = False) -> ViewScore:
    small = np.zeros((2, 2), np.uint8)
    return ViewScore(p_defect, 0.0, suspicion, {"agreement": 0.1}, np.full((2, 2), mask), small, small)


@pytest.mark.parametrize(
    ("stage", "p_defect", "suspicion", "mask", "rule", "routing", "cause"),
    [
        ("released", 0.4, 0.4, False, VerdictRule.CLASSIFIER, Routing.TRUSTED_PASS, None),
        ("assisted", 0.4, 0.4, True, VerdictRule.CLASSIFIER, Routing.TRUSTED_PASS, None),
        ("released", 0.4, 0.5, False, VerdictRule.CLASSIFIER, Routing.DIVERTED, "low_trust"),
        ("released", 0.4, float("nan"), False, VerdictRule.CLASSIFIER, Routing.DIVERTED, "low_trust"),
        ("released", 0.6, 0.4, False, VerdictRule.CLASSIFIER, Routing.REJECTED, None),
        ("released", 0.4, 0.4, True, VerdictRule.EITHER, Routing.REJECTED, None),
        ("shadow", 0.4, 0.4, False, VerdictRule.CLASSIFIER, Routing.DIVERTED, "stage"),
        ("taught", 0.4, 0.5, False, VerdictRule.CLASSIFIER, Routing.DIVERTED, "stage"),
        ("taught", 0.6, 0.4, False, VerdictRule.CLASSIFIER, Routing.REJECTED, None),
    ],
)
def test_a_pass_is_trusted_only_below_the_limit_and_by_a_bundle_that_may_pass(
    stage: str, p_defect: float, suspicion: float, mask: bool, rule: VerdictRule, routing: Routing, cause: str | None
) -> None:
    card = small_card().model_copy(update={"stage": stage})
    doubt = None if cause != "stage" else OkDoubt(UNTRUSTED_STAGES[stage])
    result = scored(entry("a"), score(p_defect, suspicion, mask=mask), card, None, rule, doubt)
    assert (result.routing, result.cause) == (routing, cause)


def test_results_wait_for_their_part_and_come_out_in_order() -> None:
    told: list[tuple[str, Routing]] = []
    parts = PartsInOrder(["p", "q", "p", "r"], lambda result, routing: told.append((result.image, routing)))
    given = [("1", "p", Routing.TRUSTED_PASS), ("2", "q", Routing.DIVERTED), ("3", "p", Routing.REJECTED)]
    for image, part_id, routing in given:
        parts.add(Result(image, part_id, Verdict.OK, routing, ()))
        assert told == [] or image == "3"
    assert told == [("1", Routing.REJECTED), ("2", Routing.DIVERTED), ("3", Routing.REJECTED)]
    parts.add(Result("4", "r", Verdict.OK, Routing.TRUSTED_PASS, ()))
    assert told[-1] == ("4", Routing.TRUSTED_PASS)


def test_the_difference_is_grey_where_maps_agree_and_never_wraps_around() -> None:
    low, high = np.asarray([[0, 255]], np.uint8), np.asarray([[255, 0]], np.uint8)
    assert difference(low, low).tolist() == [[128, 128]]
    assert difference(low, high).tolist() == [[0, 255]]


def test_pictures_that_cannot_be_read_never_reach_the_device() -> None:
    class Device:
        digest, device, precision = "0" * 64, "cpu", "float32"
        card = small_card()
        standing = OkBacking("released")

        def prepare(self, picture: object) -> object:
            raise AssertionError

        def score(self, batch: object) -> list[ViewScore]:
            assert batch == []
            return []

    lines: list[str] = []
    listing = Listing((entry("gone-1.png"), entry("gone-2.png")), {})
    summary = inspect_listing(listing, Device(), Options(), write=lines.append, clock=lambda: 0.0)
    assert len(lines) == 2
    assert all('"NOT_DECIDABLE"' in line and "the file is missing" in line for line in lines)
    assert (summary.pictures, summary.pictures_per_s) == (2, 0.0)
