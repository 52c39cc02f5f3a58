"""`linewarden alarm`: what stands, what was put aside, what people do with it, and what happened."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.context import SOURCE, Connection, actor, connect, now_ms, publish, show
from linewarden.commands.options import Json, clock_of

if TYPE_CHECKING:
    from linewarden_runtime.alarm_book import AlarmBook
    from linewarden_schemas.alarm import Alarm, AlarmEvent
    from linewarden_schemas.alarm_vocabulary import AlarmDoing

app = typer.Typer(help="Alarms of a line: what stands, what people do with it, its history.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="ALARM", help="The alarm, as `list` names it.")]
Who = Annotated[str | None, typer.Option("--actor", help="Who acts; the user of this shell by default.")]
Why = Annotated[str | None, typer.Option("--reason", help="Why, for the record.")]
OfLine = Annotated[str | None, typer.Option("--line", help="One line of the namespace; all by default.")]
_ANSWER_S = 15.0


@app.command(name="list")
def list_(line: OfLine = None, as_json: Json = False) -> None:
    """What stands, the most urgent first, what follows from it under it; then what is put aside. Exits 1 unkept."""
    from linewarden_domain.alarms import current_alarms, put_aside  # noqa: PLC0415

    here = connect()
    with _book(here) as book:
        alarms, words = book.alarms(line), book.words()
    now, rows = now_ms(), []
    for row in current_alarms(alarms, now):
        rows += [_row(row.alarm), *(_row(one, under=row.alarm.alarm_id) for one in row.follows)]
    rows += [_row(one) for one in put_aside(alarms, now)]
    show(rows, as_json=as_json, empty="no alarm")
    if not _all_kept(words, line, now):
        typer.echo("nobody keeps these alarms now: is 'linewarden run line' alive?", err=True)
        raise typer.Exit(1)


@app.command()
def ack(alarm: Which, who: Who = None, reason: Why = None, as_json: Json = False) -> None:
    """Say to know of an alarm. It stands until its cause is mended."""
    from linewarden_schemas.alarm_vocabulary import AlarmDoing  # noqa: PLC0415

    _ask(alarm, AlarmDoing.ACKNOWLEDGE, who, reason, as_json=as_json)


@app.command()
def reset(alarm: Which, who: Who = None, reason: Why = None, as_json: Json = False) -> None:
    """End an alarm that stands until then, once its cause is mended; what it counts begins anew."""
    from linewarden_schemas.alarm_vocabulary import AlarmDoing  # noqa: PLC0415

    _ask(alarm, AlarmDoing.RESET, who, reason, as_json=as_json)


@app.command()
def shelve(
    alarm: Which,
    minutes: Annotated[int, typer.Option("--for", min=1, max=480, help="Minutes, at most a shift.")] = 30,
    who: Who = None,
    reason: Why = None,
    as_json: Json = False,
) -> None:
    """Put an alarm aside until a stated time; what it asks of the line stands."""
    from linewarden_schemas.alarm_vocabulary import AlarmDoing  # noqa: PLC0415

    _ask(alarm, AlarmDoing.SHELVE, who, reason, as_json=as_json, until_ms=now_ms() + minutes * 60_000)


@app.command()
def unshelve(alarm: Which, who: Who = None, reason: Why = None, as_json: Json = False) -> None:
    """Put an alarm back on the list."""
    from linewarden_schemas.alarm_vocabulary import AlarmDoing  # noqa: PLC0415

    _ask(alarm, AlarmDoing.UNSHELVE, who, reason, as_json=as_json)


@app.command()
def remove(alarm: Which, who: Who = None, reason: Why = None, as_json: Json = False) -> None:
    """Take an alarm out of service until somebody puts it back: of a camera that is no more, for one."""
    from linewarden_schemas.alarm_vocabulary import AlarmDoing  # noqa: PLC0415

    _ask(alarm, AlarmDoing.REMOVE, who, reason, as_json=as_json)


@app.command()
def restore(alarm: Which, who: Who = None, reason: Why = None, as_json: Json = False) -> None:
    """Put an alarm back in service."""
    from linewarden_schemas.alarm_vocabulary import AlarmDoing  # noqa: PLC0415

    _ask(alarm, AlarmDoing.RESTORE, who, reason, as_json=as_json)


@app.command(name="bin")
def bin_(
    line: Annotated[str, typer.Argument(help="The line.")],
    bin_id: Annotated[str, typer.Argument(metavar="BIN", help="The lane or bin: rejected, diverted.")],
    counted: Annotated[int, typer.Option("--counted", min=0, help="Parts that lay in it.")],
    who: Who = None,
    reason: Why = None,
    as_json: Json = False,
) -> None:
    """Say that a bin was emptied, and how many parts lay in it; more or fewer than were sent there is an alarm."""
    from linewarden_schemas.alarm_vocabulary import AlarmDoing, AlarmKind  # noqa: PLC0415

    name = f"{line}.{AlarmKind.BIN_FULL.value}.{bin_id}"
    _ask(name, AlarmDoing.COUNT, who, reason, as_json=as_json, line=line, count=counted)


@app.command()
def history(
    hours: Annotated[float, typer.Option(min=0.01, max=744.0, help="So far back; a shift by default.")] = 8.0,
    line: OfLine = None,
    as_json: Json = False,
) -> None:
    """Every step of each alarm's life, the oldest first: for the hand-over of a shift."""
    here = connect()
    with _book(here, now_ms() - round(hours * 3_600_000)) as book:
        events = book.events(line)
    show([_step(one) for one in events], as_json=as_json, empty="nothing happened")


def _book(here: Connection, since_ms: int | None = None) -> AlarmBook:
    from linewarden_runtime.alarm_book import AlarmBook  # noqa: PLC0415

    return AlarmBook(here.broker, here.namespace, now_ms() if since_ms is None else since_ms)


def _ask(
    name: str,
    doing: AlarmDoing,
    who: str | None,
    reason: str | None,
    *,
    as_json: bool,
    line: str | None = None,
    until_ms: int | None = None,
    count: int | None = None,
) -> None:
    """Write down what is wanted, and wait for what becomes of it."""
    from linewarden_runtime.alarm_book import answer_to, request_record  # noqa: PLC0415
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415
    from linewarden_schemas.alarm import AlarmRequest  # noqa: PLC0415
    from linewarden_schemas.alarm_vocabulary import AlarmStep  # noqa: PLC0415

    here = connect()
    with _book(here) as book:
        known = next((one for one in book.alarms() if one.alarm_id == name), None)
        if known is None and line is None:
            raise ConfigurationError(f"there is no alarm {name}; see 'linewarden alarm list --json'")
        request = AlarmRequest(
            request_id=uuid.uuid4().hex,
            alarm_id=name,
            line_id=line or ("" if known is None else known.line_id),
            doing=doing,
            actor=actor(who),
            at_ms=now_ms(),
            occurrence=None if known is None or count is not None else known.occurrence,
            until_ms=until_ms,
            count=count,
            comment=reason,
        )
        publish(here.broker, [request_record(here.namespace, request, SOURCE)])
        deadline = time.monotonic() + _ANSWER_S
        answer = None
        while answer is None and time.monotonic() < deadline:
            time.sleep(0.1)
            book.refresh()
            answer = answer_to(request.request_id, book.events())
    if answer is None:
        raise ConfigurationError(
            f"it is written down, and nobody has done it within {_ANSWER_S:.0f} s: is 'linewarden run line' alive "
            f"for line {request.line_id}?"
        )
    if answer.step is AlarmStep.REFUSED:
        raise ConfigurationError(f"{name}: {answer.comment}")
    show([_step(answer)], as_json=as_json)


def _all_kept(words: Any, line: str | None, now: int) -> bool:  # noqa: ANN401 - a mapping of a type that is slow to import
    from linewarden_domain.alarms import is_kept  # noqa: PLC0415

    asked = [word for name, word in words.items() if line in {None, name}]
    return bool(asked) and all(is_kept(word, now) for word in asked)


def _row(alarm: Alarm, under: str = "") -> dict[str, Any]:
    return {
        "alarm": alarm.alarm_id,
        "priority": alarm.priority.value,
        "stage": alarm.stage.value,
        "what": alarm.detail or "",
        "since": clock_of(alarm.began_ms),
        "asks for": "" if alarm.demand is None else alarm.demand.value,
        "by": alarm.shelved_by or alarm.removed_by or alarm.acknowledged_by or "",
        "until": clock_of(alarm.shelved_until_ms),
        "repeats": alarm.repeats,
        "follows from": under,
    }


def _step(event: AlarmEvent) -> dict[str, Any]:
    return {
        "at": clock_of(event.at_ms),
        "alarm": event.alarm.alarm_id,
        "step": event.step.value,
        "stage": event.alarm.stage.value,
        "what": event.alarm.detail or "",
        "by": event.actor or "",
        "why": event.comment or "",
    }
