"""The OPC UA output, asked by asyncua's client; without a nodeset the names are in our own namespace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from linewarden_onward.interface import OutputAway
from linewarden_onward.outputs.opcua_server import OpcuaOutput
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.disposition import Disposition
from tests.support.notices import NOW_MS, diverted, output_run, passed
from tests.support.plant_opcua import PASSWORD, Heard, UaPlant, asked, called, child, since
from tests.support.processes import wait_for


@pytest.fixture
def plant(tmp_path: Path) -> UaPlant:
    return UaPlant(tmp_path / "opcua")


@pytest.fixture
def output(plant: UaPlant) -> Iterator[OpcuaOutput]:
    output = OpcuaOutput(plant.options(), output_run(epoch=3))
    yield output
    output.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UaPlant]:
    """A server that is told nothing, for those who want to sign in."""
    plant = UaPlant(tmp_path_factory.mktemp("opcua"))
    plant.certificate("over", days=-1)
    (plant.folder / "certificates" / "over.der").write_bytes((plant.folder / "over.der").read_bytes())
    output = OpcuaOutput(plant.options(), output_run(epoch=3))
    yield plant
    output.close()


async def value(client: Any, *names: str) -> Any:
    return await (await child(client, *names)).read_value()


def test_a_user_reads_the_results_and_the_newest_by_its_id(plant: UaPlant, output: OpcuaOutput) -> None:
    output.tell([diverted(1), diverted(2)])

    async def read() -> None:
        async with await plant.client() as client:
            newest = json.loads((await called(client, "GetLatestResult"))[2])
            assert (newest["epoch"], newest["sequence"], newest["id"]) == (3, 2, "v2:0")
            assert Disposition.from_json(json.dumps(newest["disposition"]).encode()) == diverted(2).disposition
            text, error = await called(client, "GetResultById", ua.Variant("v1:0"), ua.Variant(0, ua.VariantType.Int32))
            assert (json.loads(text)["sequence"], error) == (1, 0)
            nothing = await called(client, "GetResultById", ua.Variant("v9:0"), ua.Variant(0, ua.VariantType.Int32))
            assert nothing == ["", -1]
            assert json.loads(await value(client, "ResultManagement", "Results", "Result001"))["id"] == "v2:0"
            assert await value(client, "ResultManagement", "Results", "Result001", "Sequence") == 2

    asked(read())


def test_whoever_missed_results_reads_them_by_sequence_and_is_told_of_a_gap(
    plant: UaPlant, output: OpcuaOutput
) -> None:
    output.tell([diverted(number) for number in range(1, 5)])

    async def read() -> None:
        async with await plant.client() as client:
            epoch, is_gap, sequences, results = await called(client, "GetResultsSince", *since(3, 2))
            assert (epoch, is_gap, sequences) == (3, False, [3, 4])
            assert [json.loads(text)["id"] for text in results] == ["v3:0", "v4:0"]
            assert await called(client, "GetResultsSince", *since(3, 4)) == [3, False, [], []]
            output.tell([diverted(number) for number in range(5, 9)])  # the ring has 5
            _, is_gap, sequences, _ = await called(client, "GetResultsSince", *since(3, 2))
            assert (is_gap, sequences) == (True, [4, 5, 6, 7, 8])
            assert await value(client, "ResultManagement", "Results", "FirstSequence") == 4
            assert await value(client, "ResultManagement", "Results", "LastSequence") == 8
            _, is_gap, sequences, _ = await called(client, "GetResultsSince", *since(2, 7))  # another epoch's number
            assert (is_gap, sequences) == (True, [4, 5, 6, 7, 8])

    asked(read())


def test_an_event_brings_each_disposition_with_the_permission_that_is_open(plant: UaPlant, output: OpcuaOutput) -> None:
    async def hear() -> list[Any]:
        async with await plant.client() as client:
            heard = Heard()
            subscription = await client.create_subscription(50, heard)
            own = await client.get_namespace_index("urn:linewarden:onward")
            kind = await client.nodes.base_event_type.get_child(f"{own}:ResultReadyEventType")
            await subscription.subscribe_events(await child(client), kind)
            await asyncio.to_thread(output.tell, [diverted(1), passed(2), passed(3, expires_ms=NOW_MS)])
            return await heard.until_events(3)

    events = asked(hear())
    assert [(one.Epoch, one.Sequence, one.ResultId) for one in events] == [
        (3, 1, "v1:0"),
        (3, 2, "v2:0"),
        (3, 3, "v3:0"),
    ]
    assert [one.Permission for one in events] == [[0] * 5, [2, 1, 2, 2_000, NOW_MS + 2_000], [0] * 5]


def test_a_client_that_asks_for_a_type_hears_its_subtypes_and_no_other(plant: UaPlant, output: OpcuaOutput) -> None:
    async def hear(kind: int) -> list[str]:
        async with await plant.client() as client:
            own = await client.get_namespace_index("urn:linewarden:onward")
            of_type = ua.ContentFilterElement(FilterOperator=ua.FilterOperator.OfType)
            of_type.FilterOperands = [ua.LiteralOperand(Value=ua.Variant(ua.NodeId(kind)))]
            heard = Heard()
            subscription = await client.create_subscription(20, heard)
            for name, elements in (("ResultId", [of_type]), ("Sequence", [])):
                field = ua.SimpleAttributeOperand(AttributeId=ua.AttributeIds.Value)
                field.BrowsePath = [ua.QualifiedName(name, own)]
                filters = ua.EventFilter(SelectClauses=[field], WhereClause=ua.ContentFilter(Elements=elements))
                await subscription.subscribe_events(await child(client), evfilter=filters)
            await asyncio.to_thread(output.tell, [diverted(1)])
            every = await heard.until(lambda: any(hasattr(one, "Sequence") for one in heard.events), heard.events)
            return [one.ResultId for one in every if hasattr(one, "ResultId")]

    assert asked(hear(ua.ObjectIds.BaseEventType)) == ["v1:0"]
    assert asked(hear(ua.ObjectIds.AuditEventType)) == []


def test_an_open_permission_stands_in_the_list_and_a_beat_takes_it_back_when_it_is_over(plant: UaPlant) -> None:
    times: list[int | None] = [NOW_MS]
    output = OpcuaOutput(plant.options(), output_run(now_ms=lambda: times[-1]))
    try:
        output.tell([passed(1, expires_ms=NOW_MS + 600_000), passed(2, expires_ms=NOW_MS + 300_000)])

        async def permissions() -> list[int]:
            async with await plant.client() as client:
                listed: list[int] = await value(client, "Gate", "Permissions")
                return listed

        first = [1, 1, 1, 2_000, NOW_MS + 600_000]
        assert asked(permissions()) == [*first, 2, 1, 2, 2_000, NOW_MS + 300_000, *[0] * 70]
        times.append(NOW_MS + 300_000)
        output.beat()
        assert asked(permissions()) == [*first, *[0] * 75]
        times.append(None)
        output.beat()
        assert asked(permissions()) == [0] * 80
    finally:
        output.close()


def test_the_server_takes_a_permission_back_when_nobody_beats(plant: UaPlant, output: OpcuaOutput) -> None:
    async def hear() -> list[Any]:
        async with await plant.client() as client:
            heard = Heard()
            subscription = await client.create_subscription(20, heard)
            await subscription.subscribe_data_change(await child(client, "Gate", "Permissions"))
            await asyncio.to_thread(output.tell, [passed(1, expires_ms=NOW_MS + 500)])
            return await heard.until(lambda: any(map(any, heard.values)) and not any(heard.values[-1]), heard.values)

    assert not any(asked(hear())[-1])


def test_a_ring_entry_never_has_a_permission(plant: UaPlant, output: OpcuaOutput) -> None:
    output.tell([passed(1)])

    async def read() -> dict[str, Any]:
        async with await plant.client() as client:
            told: dict[str, Any] = json.loads((await called(client, "GetLatestResult"))[2])
            return told

    assert set(asked(read())) == {"epoch", "sequence", "id", "disposition"}


def test_of_more_permissions_than_there_is_room_for_the_oldest_is_taken_back(
    plant: UaPlant, output: OpcuaOutput
) -> None:
    output.tell([passed(number, expires_ms=NOW_MS + 600_000) for number in range(1, 19)])

    async def read() -> list[int]:
        async with await plant.client() as client:
            listed: list[int] = await value(client, "Gate", "Permissions")
            return listed

    assert asked(read())[::5] == list(range(3, 19))


def test_states_follow_the_output_and_an_unknown_time_is_an_error(plant: UaPlant) -> None:
    times: list[int | None] = [NOW_MS]
    output = OpcuaOutput(plant.options(), output_run(now_ms=lambda: times[-1]))

    async def states() -> tuple[str, str]:
        async with await plant.client() as client:
            machine = await child(client, "VisionStateMachine")
            inner = await child(client, "VisionStateMachine", "AutomaticModeStateMachine")
            outer = [await (await one.get_child("0:CurrentState")).read_value() for one in (machine, inner)]
            return outer[0].Text or "", outer[1].Text or ""

    try:
        assert asked(states()) == ("Preoperational", "")
        output.beat()
        assert asked(states()) == ("Operational", "Initialized")
        output.tell([diverted(1)])
        assert asked(states()) == ("Operational", "ContinuousExecution")
        times.append(None)
        output.beat()
        assert asked(states()) == ("Error", "")
        output.tell([passed(2)])
        assert asked(states()) == ("Error", "")
    finally:
        output.close()


def test_the_heartbeat_is_a_number_that_changes_with_each_beat(plant: UaPlant, output: OpcuaOutput) -> None:
    async def read() -> tuple[int, int]:
        async with await plant.client() as client:
            before = await value(client, "Gate", "Heartbeat")
            await asyncio.to_thread(output.beat)
            return before, await value(client, "Gate", "Heartbeat")

    before, after = asked(read())
    assert after == before + 1


def test_a_user_signs_in_with_a_certificate_of_his_own(guarded: UaPlant) -> None:
    async def read() -> int:
        async with await guarded.client(user=None, certificate="cell") as client:
            epoch: int = await value(client, "Gate", "Epoch")
            return epoch

    assert asked(read()) == 3


@pytest.mark.parametrize(
    "sign_in",
    [
        {"user": None},
        {"user": "hmi", "password": "wrong"},
        {"user": "", "password": ""},
        {"user": "admin", "password": PASSWORD},
        {"user": None, "certificate": "client"},  # a client's certificate is no user's
        {"user": None, "certificate": "over"},
    ],
    ids=["anonymous", "wrong password", "no name", "another name", "unknown certificate", "a certificate that is over"],
)
def test_nobody_else_gets_in(guarded: UaPlant, sign_in: dict[str, Any]) -> None:
    async def connect() -> None:
        async with await guarded.client(**sign_in):
            pass

    with pytest.raises(ua.UaStatusCodeError) as refused:
        asked(connect())
    assert refused.value.code in {ua.StatusCodes.BadUserAccessDenied, ua.StatusCodes.BadIdentityTokenRejected}


def test_an_open_channel_is_for_discovery_alone(guarded: UaPlant) -> None:
    async def look() -> list[Any]:
        endpoints: list[Any] = await guarded.plain().connect_and_get_server_endpoints()
        return endpoints

    (endpoint,) = asked(look())
    assert endpoint.SecurityMode is ua.MessageSecurityMode.SignAndEncrypt
    assert {token.TokenType for token in endpoint.UserIdentityTokens} == {
        ua.UserTokenType.Certificate,
        ua.UserTokenType.UserName,
    }

    async def sign_in() -> None:
        async with guarded.open_session() as client:
            await client.nodes.objects.get_children()

    with pytest.raises(ua.UaStatusCodeError) as refused:
        asked(sign_in())
    assert refused.value.code == ua.StatusCodes.BadSecurityModeInsufficient


def test_no_user_writes(guarded: UaPlant) -> None:
    async def write() -> None:
        async with await guarded.client() as client:
            node = await child(client, "Gate", "Heartbeat")
            with pytest.raises(ua.UaStatusCodeError):
                await node.write_value(ua.Variant(7, ua.VariantType.UInt32))
            with pytest.raises(ua.UaStatusCodeError):
                await client.nodes.objects.add_object(2, "mine")
            assert await node.read_value() != 7

    asked(write())


def test_a_client_that_reconnects_for_ever_takes_nothing_from_another(plant: UaPlant, output: OpcuaOutput) -> None:
    async def restless() -> None:
        client = await plant.client()
        await client.connect()
        await client.create_subscription(50, Heard())
        client.disconnect_socket()  # without a word, as a cable that is pulled

    async def both() -> list[Any]:
        async with await plant.client(user=None, certificate="cell") as quiet:
            heard = Heard()
            subscription = await quiet.create_subscription(50, heard)
            await subscription.subscribe_events(await child(quiet))
            for number in range(1, 13):
                await restless()
                await asyncio.to_thread(output.tell, [diverted(number)])
            events = await heard.until_events(12)
            await child(quiet)
        return events

    assert len(asked(both())) == 12
    sessions = output._server.iserver.sessions
    wait_for(lambda: len(sessions) <= 4, "the sessions of the restless one end, up to the bound")


def test_a_client_does_not_touch_the_subscription_of_another(plant: UaPlant, output: OpcuaOutput) -> None:
    async def meddle() -> list[Any]:
        async with await plant.client() as one, await plant.client(user=None, certificate="cell") as other:
            heard = Heard()
            subscription = await one.create_subscription(50, heard)
            await subscription.subscribe_events(await child(one))
            with pytest.raises(ua.UaStatusCodeError):
                await other.uaclient.delete_subscriptions([subscription.subscription_id])
            await asyncio.to_thread(output.tell, [diverted(1)])
            return await heard.until_events(1)

    assert len(asked(meddle())) == 1


def test_a_restart_keeps_the_certificate_and_begins_a_new_epoch(plant: UaPlant) -> None:
    OpcuaOutput(plant.options(), output_run(epoch=1)).close()
    certificate = (plant.folder / "own" / "server.der").read_bytes()
    assert (plant.folder / "own" / "server.pem").stat().st_mode & 0o777 == 0o600
    output = OpcuaOutput(plant.options(), output_run(epoch=2))

    async def read() -> int:
        async with await plant.client() as client:
            epoch: int = await value(client, "Gate", "Epoch")
            return epoch

    try:
        assert asked(read()) == 2
        assert (plant.folder / "own" / "server.der").read_bytes() == certificate
        with pytest.raises(OutputAway, match="cannot listen"):
            OpcuaOutput(plant.options(), output_run(epoch=3))
    finally:
        output.close()


def test_files_that_cannot_be_used_are_named(plant: UaPlant, tmp_path: Path) -> None:
    def refused(words: str, **more: Any) -> None:
        with pytest.raises(ConfigurationError, match=words):
            plant.options(**more).open(output_run())

    (tmp_path / "plain").write_text("plc:secret\n")
    refused("line 1", users_file=tmp_path / "plain")
    refused("nobody could sign in", users_file=None, certificates=None)
    refused("missing", users_file=tmp_path / "missing")
    refused("nodeset", nodeset=tmp_path / "plain")
    refused("nodeset", nodeset=tmp_path / "missing")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "server.der").write_bytes(b"no certificate")
    refused(r"server\.der", folder=tmp_path / "half")
