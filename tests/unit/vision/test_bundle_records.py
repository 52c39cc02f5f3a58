"""Promotions, qualification and groups of a bundle: what they speak of, and what voids them."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from linewarden_vision.bundle import Bundle, content_of, read_bundle, write_bundle
from linewarden_vision.card import Card
from linewarden_vision.content import at_precision
from linewarden_vision.errors import BundleError
from linewarden_vision.golden import Golden, GoldenAnswer
from linewarden_vision.promotions import Promotion, PromotionEvidence, climb, next_stage, promote, stage_of, to_files
from linewarden_vision.qualification import Attempt, Qualification, Statement
from linewarden_vision.trained_groups import TrainedGroups
from tests.unit.vision.helpers import small_card, small_network

_EVIDENCE = PromotionEvidence(kind="evaluation", sha256="a" * 64, n=12)
_HERE = "c" * 64
_GOLDEN = Golden(
    np.zeros((1, 32, 32), np.uint8), [GoldenAnswer(margin=0.0, suspicion=0.0, defect=False, doubtful=False)]
)


def _qualification(content: str, expires: str = "2026-04-01") -> Qualification:
    attempt = Attempt(content_digest=content, parts_digest="d" * 64, date="2026-01-01", delta=0.05)
    return Qualification(
        content_digest=at_precision(content, "float32"),
        precision="float32",
        device="cpu",
        data_digest="e" * 64,
        parts_digest="d" * 64,
        set_name="tiles",
        curve_point="limit 1 of 59",
        date="2026-01-01",
        expires=expires,
        seed=0,
        tolerance=0.0,
        divert_from=0.5,
        statements=[Statement(defect_class=None, max_pass_rate=0.05, delta=0.05, n=59, allowed=0, limit=0.5)],
        classes=[],
        n=59,
        rejected=0,
        diverted=59,
        undecidable=0,
        passed=0,
        attempts=[attempt],
    )


def _write(folder: Path, card: Card, extra: dict[str, bytes]) -> Bundle:
    network = small_network()
    write_bundle(folder, card, network.state_dict(), _GOLDEN, extra)
    return read_bundle(folder)


def _content(card: Card) -> str:
    return content_of(card, small_network().state_dict())


def test_the_stage_is_what_the_promotions_say(tmp_path: Path) -> None:
    card = small_card()
    ladder = climb(_content(card), "assisted", who="kim", date="2026-01-02", evidence=_EVIDENCE)
    bundle = _write(tmp_path / "b", card, to_files(ladder))
    assert [step.stage for step in bundle.promotions] == ["shadow", "assisted"]
    assert bundle.card.stage == "assisted"
    assert _write(tmp_path / "c", card, {}).card.stage == "taught"


def test_a_promotion_changes_the_digest_but_not_the_content(tmp_path: Path) -> None:
    card = small_card()
    plain = _write(tmp_path / "a", card, {})
    ladder = climb(plain.content, "shadow", who="kim", date="2026-01-02", evidence=_EVIDENCE)
    promoted = _write(tmp_path / "b", card, to_files(ladder))
    assert plain.digest != promoted.digest
    assert plain.content == promoted.content == _content(card)


def test_a_card_cannot_give_itself_a_stage(tmp_path: Path) -> None:
    claimed = small_card().model_copy(update={"stage": "released"})
    assert _write(tmp_path / "a", claimed, {}).card.stage == "taught"
    _write(tmp_path / "b", small_card(), {})
    path = tmp_path / "b" / "card.json"
    path.write_text(path.read_text().replace('"taught"', '"released"'))
    lines = [
        f"{hashlib.sha256((tmp_path / 'b' / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("card.json", "golden.json", "golden.npz", "weights.safetensors")
    ]
    (tmp_path / "b" / "bundle.sha256").write_text("".join(lines))
    with pytest.raises(BundleError, match="the card says released, its promotions taught"):
        read_bundle(tmp_path / "b")


def test_promotions_of_other_content_are_void(tmp_path: Path) -> None:
    ladder = climb(_content(small_card()), "released", who="kim", date="2026-01-02", evidence=_EVIDENCE)
    moved = _write(tmp_path / "b", small_card(suspicion=0.75), to_files(ladder))
    assert moved.card.stage == "taught"
    again = promote(
        moved.promotions, content=moved.content, stage="shadow", who="kim", date="2026-01-03", evidence=_EVIDENCE
    )
    assert len(again) == 1


def test_no_stage_is_left_out_repeated_or_dated_before_the_last() -> None:
    def step(ladder: list[Promotion], stage: str, date: str = "2026-01-02") -> list[Promotion]:
        wanted = Promotion.model_validate(
            {"stage": stage, "who": "kim", "date": date, "evidence": _EVIDENCE, "content_digest": _HERE}
        )
        return promote(ladder, content=_HERE, stage=wanted.stage, who="kim", date=date, evidence=_EVIDENCE)

    with pytest.raises(BundleError, match="released follows taught"):
        step([], "released")
    shadow = step([], "shadow")
    with pytest.raises(BundleError, match="shadow follows shadow"):
        step(shadow, "shadow")
    with pytest.raises(BundleError, match="dated before"):
        step(shadow, "assisted", "2026-01-01")
    assert stage_of(step(shadow, "assisted"), _HERE) == "assisted"
    assert next_stage("released") is None


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": small_card(defect=0.25).thresholds},
        {"thresholds": small_card(suspicion=0.51).thresholds},
        {"picture": small_card().picture.model_copy(update={"mean": 111.0})},
        {
            "trust": small_card().trust.model_copy(
                update={"logistic": small_card().trust.logistic.model_copy(update={"intercept": -1.0})}
            )
        },
    ],
)
def test_moving_a_threshold_or_refitting_voids_the_qualification(tmp_path: Path, change: dict[str, object]) -> None:
    card = small_card()
    record = _qualification(_content(card))
    bundle = _write(tmp_path / "a", card, record.to_files())
    assert bundle.qualification == record
    assert record.void_because(bundle.content) is None
    moved = _write(tmp_path / "b", card.model_copy(update=change), record.to_files())
    assert moved.qualification is not None
    assert "not those that were qualified" in str(moved.qualification.void_because(moved.content))


def test_other_weights_void_the_qualification_and_a_new_name_does_not(tmp_path: Path) -> None:
    card, network = small_card(), small_network()
    record = _qualification(_content(card))
    renamed = card.model_copy(update={"name": "other", "notes": ["a note"]})
    assert record.void_because(content_of(renamed, network.state_dict())) is None
    state = dict(network.state_dict())
    name = next(name for name, value in state.items() if value.is_floating_point())
    state[name] = state[name] + 1
    assert record.void_because(content_of(card, state)) is not None
    assert record.void_because(content_of(card, network.state_dict(), {"novelty.safetensors": b"x"})) is not None


def test_another_precision_voids_and_a_later_day_expires() -> None:
    record = _qualification(_HERE, expires="2026-04-01")
    assert record.void_because(_HERE, "float32") is None
    assert record.void_because(_HERE, "bfloat16") == "qualified at float32, in use at bfloat16"
    assert not record.is_expired("2026-04-01")
    assert record.is_expired("2026-04-02")


def test_every_attempt_on_the_same_parts_costs_joint_confidence() -> None:
    record = _qualification(_HERE)
    second = record.attempts[0].model_copy(update={"delta": 0.025})
    assert record.joint_confidence == pytest.approx(0.95)
    assert record.model_copy(update={"attempts": [*record.attempts, second]}).joint_confidence == pytest.approx(0.925)


def test_groups_are_kept_as_hashes_and_overlap_is_seen() -> None:
    groups = TrainedGroups.of(["part-2", "part-1", "part-2"])
    assert len(groups.hashes) == 2
    assert "part" not in json.dumps(groups.hashes)
    assert groups.overlap(["part-9", "part-1"]) == ["part-1"]
    assert TrainedGroups.from_file(groups.to_files()["groups.json"]) == groups


@pytest.mark.parametrize("name", ["qualification.json", "promotions.json", "groups.json"])
def test_an_optional_file_that_does_not_parse_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match=f"{name} cannot be read"):
        _write(tmp_path / "b", small_card(), {name: b'{"unknown": 1}'})


def test_a_file_that_no_bundle_has_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"a bundle has no notes\.txt"):
        _write(tmp_path / "b", small_card(), {"notes.txt": b""})


def test_writing_again_leaves_no_optional_file_of_the_bundle_before(tmp_path: Path) -> None:
    card = small_card()
    _write(tmp_path / "b", card, _qualification(_content(card)).to_files())
    assert _write(tmp_path / "b", card, {}).qualification is None
    listed = (tmp_path / "b" / "bundle.sha256").read_text()
    assert "qualification" not in listed
    for line in listed.splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "b" / name).read_bytes()).hexdigest() == digest


def test_a_bundle_says_why_nothing_is_promised_of_it(tmp_path: Path) -> None:
    card = small_card()
    assert _write(tmp_path / "a", card, {}).unqualified("float32", "2026-01-02") == "not qualified: nothing is promised"
    held = _write(tmp_path / "b", card, _qualification(_content(card)).to_files())
    assert held.unqualified("float32", "2026-01-02") is None
    assert "in use at float16" in str(held.unqualified("float16", "2026-01-02"))
    assert "expired on 2026-04-01" in str(held.unqualified("float32", "2026-04-02"))
    moved = _write(tmp_path / "c", small_card(defect=0.5), _qualification(_content(card)).to_files())
    assert "qualification void" in str(moved.unqualified("float32", "2026-01-02"))
