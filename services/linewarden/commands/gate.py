"""`linewarden gate simulate`: a PLC with belt, gate and bins, against the output `modbus` or `opcua` of a line."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.options import Json, finite

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from rich.console import RenderableType

    from linewarden_onward.simulated_plc import ControlLink, SimulatedPlc
    from linewarden_runtime.clock import Clock
    from linewarden_runtime.lifecycle import Stop

PartsSeen = Callable[[], list[tuple[int, float]]]
"""Each call brings the counters of the parts seen since the last, and how many ms ago each was seen."""

OUTPUT_READ = "the output is read"
"""Said once on standard error: parts that are seen from then on can be answered."""

app = typer.Typer(help="The plant's side of a gate.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def simulate(
    address: Annotated[
        str, typer.Option(help="Host and port of the output modbus, or opc.tcp://HOST:PORT/linewarden of opcua.")
    ] = "127.0.0.1:5020",
    follow: Annotated[
        bool, typer.Option("--follow", help="A part for each visit that the line captures from now on, until Ctrl-C.")
    ] = False,
    rate: Annotated[
        float, typer.Option(callback=finite, min=0.01, help="Parts a second, where it does not follow a line.")
    ] = 2.0,
    parts: Annotated[int, typer.Option(min=1, help="So many parts, where it does not follow a line.")] = 100,
    first: Annotated[int, typer.Option(min=0, help="Counter of the first of them.")] = 1,
    window_ms: Annotated[int, typer.Option(min=10, help="From trigger to gate; the PLC's own window.")] = 8_000,
    heartbeat_ms: Annotated[int, typer.Option(min=10, help="The heartbeat must move within so long.")] = 1_000,
    scan_ms: Annotated[int, typer.Option(min=1, max=60_000, help="The PLC's cycle; a slow PLC takes longer.")] = 20,
    two_lanes: Annotated[bool, typer.Option("--two-lanes", help="Rejects go to the divert lane.")] = False,
    bin_holds: Annotated[
        int | None, typer.Option(min=1, help="The sensor of a withheld part's bin says full from so many parts on.")
    ] = None,
    dead_after: Annotated[
        int | None, typer.Option(min=0, help="After so many parts the PLC neither reads nor writes; the belt goes on.")
    ] = None,
    user: Annotated[str, typer.Option(help="Who signs in, of opcua.")] = "plc",
    password_file: Annotated[Path | None, typer.Option(help="Whose first line is the password, of opcua.")] = None,
    trust: Annotated[Path | None, typer.Option(help="The server's certificate (server.der), of opcua.")] = None,
    line_id: Annotated[str, typer.Option(help="The line's node, of opcua.")] = "line1",
    as_json: Json = False,
) -> None:
    """Show a PLC that obeys the rule of a gate: parts, window, bins, alarms. Ctrl-C ends it when the belt is empty.

    With --follow the counters are those of the line's captures; broker and namespace come from the environment, and
    this machine's clock must be the cameras'.
    """
    from linewarden_onward.gate import GateControl, GateLimits  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_onward.outputs.gate_block import GateLanes  # noqa: PLC0415
    from linewarden_onward.simulated_plc import PlcLink, SimulatedPlc  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415
    from linewarden_runtime.lifecycle import Stop, stop_on_signals  # noqa: PLC0415

    host, _, port = address.rpartition(":")
    by_opcua = address.startswith("opc.tcp://")
    if not (by_opcua or (host and port.isdecimal())):
        raise typer.BadParameter(f"{address!r} is not HOST:PORT, and no opc.tcp://...")
    if by_opcua and not (password_file and password_file.is_file() and trust and trust.is_file()):
        raise typer.BadParameter("opcua needs --password-file and --trust, both files that are there")
    clock, stop = SystemClock(), Stop()
    stop_on_signals(stop)
    link: ControlLink
    if by_opcua and password_file is not None and trust is not None:
        from linewarden_onward.ua_link import UaLink  # noqa: PLC0415 - brings asyncua

        password = password_file.read_text(encoding="utf-8").splitlines()[0]
        link = UaLink(address, user, password, trust, line_id)
    else:
        link = PlcLink(host, int(port))
    control = GateControl(GateLimits(window_ms, heartbeat_ms))
    lanes = GateLanes(rejected=2) if two_lanes else GateLanes()
    plc = SimulatedPlc(link, control, lanes, clock, window_ms, bin_holds)
    with _captured(clock) if follow else _made(clock, rate, parts, first, stop) as source, _screen() as show:
        _turn(plc, source, stop, clock, scan_ms / 1_000, dead_after, lambda: show(_panel(plc, address, clock)))
    link.close()
    _print(plc, as_json=as_json)


def _turn(
    plc: SimulatedPlc,
    source: PartsSeen,
    stop: Stop,
    clock: Clock,
    scan_s: float,
    dead_after: int | None,
    show: Callable[[], None],
) -> None:
    """Scan until asked to stop, then until the belt is empty and what the gate did is told, for a second at most."""
    seen, shown, ended, is_told = 0, float("-inf"), None, False
    while ended is None or plc.belt or (plc.owes and clock.monotonic() - ended < 1.0):
        if not stop.is_set():
            for counter, ago_ms in source():
                plc.trigger(counter, ago_ms)
                seen += 1
        plc.is_dead = dead_after is not None and seen > dead_after
        plc.scan()
        if not is_told and plc.image is not None:
            is_told = True
            sys.stderr.write(f"{OUTPUT_READ}\n")
        if stop.is_set() and not plc.belt and ended is None:
            ended = clock.monotonic()
        if clock.monotonic() - shown > 0.1:
            shown = clock.monotonic()
            show()
        clock.wait(threading.Event(), scan_s)


@contextmanager
def _made(clock: Clock, rate: float, parts: int, first: int, stop: Stop) -> Iterator[PartsSeen]:
    """A part each 1 / `rate` seconds; after the last one the belt runs empty."""
    begun, left = clock.monotonic() + 1.0, iter(range(parts))
    upcoming = next(left, None)

    def due() -> list[tuple[int, float]]:
        nonlocal upcoming
        found = []
        while upcoming is not None and clock.monotonic() >= begun + upcoming / rate:
            found.append((first + upcoming, (clock.monotonic() - begun - upcoming / rate) * 1_000))
            upcoming = next(left, None)
        if upcoming is None:
            stop.set("no more parts")
        return found

    yield due


@contextmanager
def _captured(clock: Clock) -> Iterator[PartsSeen]:
    """The line's visits, each when its first picture is captured."""
    from linewarden.commands.context import connect  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_onward.simulated_plc import TriggerOrder  # noqa: PLC0415
    from linewarden_runtime.books import positions_of, readable  # noqa: PLC0415
    from linewarden_schemas.capture import Capture  # noqa: PLC0415
    from linewarden_schemas.ids import trigger_in  # noqa: PLC0415

    line = connect()
    positions = positions_of(line.broker, line.namespace.topic("captures"))
    known: set[str] = set()
    order, triggered_ms = TriggerOrder(), dict[int, int]()
    with line.broker.reader(dict.fromkeys(positions, 0), max_records=500) as reader:
        for position, offset in reader.end_offsets(positions).items():
            reader.seek(position, offset)

        def due() -> list[tuple[int, float]]:
            for record in reader.poll(0.0):
                message = readable(record)
                if isinstance(message, Capture) and message.visit_id not in known:
                    known.add(message.visit_id)
                    trigger = trigger_in(message.visit_id)
                    if trigger is not None:
                        triggered_ms[trigger[1]] = trigger[0]
                        order.add(trigger[1], clock.now_ms())
            now = clock.now_ms()
            return [(counter, float(now - triggered_ms.pop(counter))) for counter in order.due(now)]

        yield due


@contextmanager
def _screen() -> Iterator[Callable[[RenderableType], None]]:
    """A live panel on standard error, where that is a terminal."""
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import
    from rich.live import Live  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _panel: None
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda panel: live.update(panel, refresh=True)


def _panel(plc: SimulatedPlc, address: str, clock: Clock) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - rich is slow to import
    from rich.panel import Panel  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    now_ms, width, window = clock.monotonic() * 1_000, 60, plc.control.limits.window
    belt = ["."] * width
    for part in plc.belt:
        belt[min(width - 1, max(0, int((now_ms - part.seen_ms) / window * width)))] = "o"
    bins = Table.grid(padding=(0, 3))
    bins.add_row(*(f"{name} {count}" for name, count in _bins(plc).items()))
    live = plc.control.is_live(now_ms)
    image = plc.image
    said = "no answer" if image is None else f"part {image.counter}, verdict {image.verdict}, epoch {image.epoch}"
    alarm = f"[red bold]{plc.control.unanswered_in_a_row} parts in a row without an answer[/red bold]"
    return Panel(
        Group(
            Text(f"light barrier {''.join(belt)} gate   {window} ms"),
            bins,
            Text.from_markup(f"output {'[green]on[/green]' if live else '[red]fallen[/red]'}   registers: {said}"),
            Text.from_markup(alarm if plc.control.alarm else f"alarms {plc.alarms}   missed triggers {plc.missed}"),
        ),
        title=f"simulated PLC at {address}",
        border_style="cyan",
    )


def _bins(plc: SimulatedPlc) -> dict[str, int]:
    from linewarden_onward.gate import GateBin  # noqa: PLC0415 - nothing heavy before it is needed

    return {name.value: plc.control.bins[name] for name in GateBin}


def _print(plc: SimulatedPlc, *, as_json: bool) -> None:
    from linewarden.commands.context import show  # noqa: PLC0415 - nothing heavy before it is needed

    if not as_json:
        show([_bins(plc) | {"alarms": plc.alarms, "missed triggers": plc.missed}])
        return
    told: dict[str, Any] = {
        "bins": _bins(plc),
        "alarms": plc.alarms,
        "missed_triggers": plc.missed,
        "parts": {
            str(counter): {"bin": step.bin.value, "doubt": step.doubt, "answer_ms": _rounded(plc, counter)}
            for counter, step in plc.binned.items()
        },
    }
    sys.stdout.write(json.dumps(told, indent=2) + "\n")


def _rounded(plc: SimulatedPlc, counter: int) -> float | None:
    answer = plc.answer_ms.get(counter)
    return None if answer is None else round(answer, 1)
