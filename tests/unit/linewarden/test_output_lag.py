"""Doctor names the output that is behind, and where it runs."""

from __future__ import annotations

from typing import Any, cast

from linewarden.commands import doctor
from linewarden.commands.context import Connection
from linewarden_onward.testing import NAMESPACE, TrialPlant
from tests.unit.onward.outputs import PlayedOptions


def test_an_output_that_is_told_nothing_is_named_and_one_that_is_told_is_well() -> None:
    with (
        TrialPlant(PlayedOptions(output_id="good")) as good,
        TrialPlant(PlayedOptions(output_id="bad"), good.broker) as bad,
    ):
        bad.loop.step()  # joins, and is not turned again: as where its receiver is away
        for number in range(150):
            good.passed(number)
        good.turn(9)
        assert good.committed() == 150
        found = {one.check: one for one in doctor._lags(Connection(cast("Any", None), NAMESPACE, good.broker))}
        assert found["output good (played): told"].good
        behind = found["output bad (played): told"]
        assert (behind.good, behind.advice.split(";")[0]) == (False, "150 dispositions are not told")
