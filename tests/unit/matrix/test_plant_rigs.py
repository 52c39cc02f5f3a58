"""What the plant's side knows in `make plant` is not blind: each kind of harm makes a run fail."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from linewarden_onward.gate import GateBin, GateStep
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.vocabulary import Routing
from tests.faults.plant.bed import PlantBed
from tests.faults.plant.controls import ModbusRig
from tests.faults.plant.outputs import FileRig
from tests.faults.plant.rows import FAULTS, KINDS, ROWS, named
from tests.faults.plant.senders import SenderRig
from tests.support.gates import notice


def bed(*decided: Disposition, captured: tuple[str, ...] = ()) -> PlantBed:
    captures = {str(number): SimpleNamespace(sha256=one) for number, one in enumerate(captured)}
    dispositions = {f"{one.visit_id}:{one.revision}": one for one in decided}
    return cast("PlantBed", SimpleNamespace(flow=SimpleNamespace(captures=captures, dispositions=dispositions)))


def decided(counter: int, routing: Routing) -> Disposition:
    return notice(counter, routing).disposition


def test_a_permission_for_a_part_that_was_not_passed_is_found(tmp_path: Path) -> None:
    rig = FileRig(tmp_path)
    good, bad = decided(1, Routing.TRUSTED_PASS), decided(2, Routing.DIVERTED)
    rig.told = {f"{good.visit_id}:0": True, f"{bad.visit_id}:0": False}
    assert rig.judge(bed(good, bad)).holds
    rig.told[f"{bad.visit_id}:0"] = True
    assert len(rig.judge(bed(good, bad)).passed_wrongly) == 1


@pytest.mark.parametrize(
    ("routing", "bin_", "harm"),
    [
        (Routing.DIVERTED, GateBin.DIVERT, ""),
        (Routing.DIVERTED, GateBin.UNKNOWN, ""),
        (Routing.DIVERTED, GateBin.PASS, "passed_wrongly"),
        (Routing.DIVERTED, GateBin.REJECT, "lost"),
        (Routing.REJECTED, GateBin.DIVERT, "lost"),
        (Routing.TRUSTED_PASS, GateBin.PASS, ""),
        (Routing.TRUSTED_PASS, GateBin.DIVERT, ""),  # its permission was over before the gate read it
        (Routing.TRUSTED_PASS, GateBin.REJECT, "lost"),
    ],
)
def test_a_part_in_another_bin_than_was_decided_is_found(
    tmp_path: Path, routing: Routing, bin_: GateBin, harm: str
) -> None:
    rig = ModbusRig(tmp_path)
    one = decided(7, routing)
    rig._visits[7], rig._known = one.visit_id, frozenset({7})
    rig._plc.binned |= {7: GateStep(7, bin_), 8: GateStep(8, GateBin.PASS)}  # of the eighth nothing is known yet
    found = rig.judge(bed(one))
    rig.close()
    assert found.holds == (not harm)
    assert not harm or len(getattr(found, harm)) == 1


def test_a_picture_that_is_captured_twice_is_found() -> None:
    rig: Any = SimpleNamespace(given={"a": 0, "b": 1})
    assert SenderRig.judge(rig, bed(captured=("a", "b", "of another run", "of another run"))).holds
    assert len(SenderRig.judge(rig, bed(captured=("a", "b", "a"))).doubled) == 1


def test_every_kind_has_a_limit_and_words_for_each_fault_and_rows_are_found_by_kind() -> None:
    assert all(set(kind.limits) == set(kind.words) == set(FAULTS) for kind in KINDS)
    assert len(ROWS) == len(KINDS) * len(FAULTS)
    assert [row.name for row in named(["rtsp", "mqtt-cut"])] == [*(f"rtsp-{fault}" for fault in FAULTS), "mqtt-cut"]
    with pytest.raises(SystemExit, match="no row nothing"):
        named(["nothing"])
