"""`linewarden audit key`, `linewarden audit verify` and `linewarden audit anchor`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands import recorded
from linewarden.commands.context import now_ms, show_table
from linewarden.commands.options import Archived, Json, finite
from linewarden_runtime.files import writable_file

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_archive.findings import ArchiveReport
    from linewarden_audit.notary.anchors import Anchor
    from linewarden_audit.notary.verify import PartitionReport

PublicKeys = Annotated[
    list[str] | None,
    typer.Option("--public-key", help="A key that is trusted, as 'audit key' printed it; may be repeated."),
]
AnchorFiles = Annotated[
    list[Path] | None,
    typer.Option("--file", help="A file of anchors; may be repeated.", envvar="LINEWARDEN_NOTARY__ANCHOR_FILE"),
]


def key(
    out: Annotated[
        Path, typer.Option(callback=writable_file, help="New file for the private key; only its owner can read it.")
    ],
) -> None:
    """Make the key that the notary signs with, and print the public key that verify trusts."""
    from linewarden_audit.notary.signing import make_key  # noqa: PLC0415 - nothing heavy before it is needed

    typer.echo(make_key(out))
    typer.echo(f"LINEWARDEN_NOTARY__KEY_FILE={out} linewarden run notary", err=True)


def verify(
    public_key: PublicKeys = None,
    anchor_file: AnchorFiles = None,
    anchor: Annotated[
        list[str] | None, typer.Option("--anchor", help="A line that 'audit anchor --print' printed; may be repeated.")
    ] = None,
    unsealed_s: Annotated[
        float, typer.Option(callback=finite, min=1, help="How long a record may be without a head.")
    ] = 60,
    archive: Archived = None,
    as_json: Json = False,
) -> None:
    """Hold dispositions and decisions against the signed heads. Exits 1, and names the first record that differs.

    Without --public-key the keys are those that the heads name: changes are found, but not whoever forged heads too.
    Whoever has the key can rewrite records with their heads: anchors, which lie elsewhere, show that. What holds is put
    down in the first anchor file. With --archive its files are held against their manifest as well.
    """
    from rich.progress import Progress, TextColumn  # noqa: PLC0415 - nothing heavy before it is needed

    from linewarden_audit.notary.anchors import AnchorFile, from_paper  # noqa: PLC0415

    files = [AnchorFile(path).read() for path in anchor_file or [] if path.exists()]
    broken = next((one.broken for one in files if one.broken is not None), None)
    anchors = [*(one for file in files for one in file.anchors), *map(from_paper, anchor or [])]
    columns = (TextColumn("verifying"), TextColumn("{task.completed} {task.description}"))
    with Progress(*columns, disable=as_json, transient=True) as bar:
        task = bar.add_task("records" if archive is None else "segments", total=None)
        looked, keys = lambda *_: bar.advance(task), public_key or []
        if archive is None:
            told = _live_chain(keys, anchors, looked, round(unsealed_s * 1000))
        else:
            told = _archived_chain(archive, keys, anchors, looked)
    holds = told.holds and broken is None
    if holds and archive is None and anchor_file:
        AnchorFile(anchor_file[0]).append(now_ms(), told.sealed)
    if as_json:
        typer.echo(json.dumps(told.as_dict() | {"holds": holds, "anchor_file": broken, "anchors": len(anchors)}))
    else:
        told.show(proven=bool(public_key))
        unanchored = "held against no anchor: whoever has the key could have rewritten records with their heads"
        typer.echo(broken or f"held against {len(anchors)} anchors" if anchors or broken else unanchored)
    raise typer.Exit(0 if holds else 1)


def anchor(
    anchor_file: AnchorFiles = None,
    printed: Annotated[bool, typer.Option("--print", help="Lines for the shift book.")] = False,
    public_key: PublicKeys = None,
    as_json: Json = False,
) -> None:
    """Put down outside Kafka how far everything is sealed, in a file and on paper, where the chain holds.

    Exits 1, and puts nothing down, where it does not.
    """
    from linewarden_audit.notary.anchors import AnchorFile  # noqa: PLC0415 - as above
    from linewarden_audit.notary.anchors import printed as on_paper  # noqa: PLC0415

    files = anchor_file or []
    if not files and not printed and not as_json:
        raise typer.BadParameter("name a file with --file, or give --print")
    known = [one for path in files if path.exists() for one in AnchorFile(path).read().anchors]
    told = _live_chain(public_key or [], known)
    if not told.holds:
        told.show(proven=bool(public_key))
        raise typer.Exit(1)
    at_ms = now_ms()
    for path in files:
        AnchorFile(path).append(at_ms, told.sealed)
    if as_json:
        typer.echo(json.dumps({"at_ms": at_ms, "anchors": [asdict(one) | {"code": one.code} for one in told.sealed]}))
    elif printed:
        typer.echo(on_paper(at_ms, told.sealed))


@dataclass(frozen=True)
class ChainReport:
    """What was found of a chain; `files` of an archive, `sealed` of a broker."""

    partitions: list[PartitionReport]
    keys_given: bool
    files: ArchiveReport | None = None
    sealed: list[Anchor] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every partition, and every file of an archive, is as it was sealed."""
        return all(one.holds for one in self.partitions) and (self.files is None or self.files.holds)

    def as_dict(self) -> dict[str, Any]:
        """The report for programs, with whether its keys are trusted ones or those that the heads name."""
        files = {} if self.files is None else {"files": self.files.as_dict()}
        keys = "given" if self.keys_given else "from the heads, not proven"
        parts = [one.as_dict() for one in self.partitions]
        return {"holds": self.holds, "keys": keys, **files, "partitions": parts, "strays": self.strays}

    def show(self, *, proven: bool) -> None:
        """Print it for people; `proven` where the keys were given."""
        for line in [] if self.files is None else self.files.lines():
            typer.echo(line)
        title = "the chain holds" if all(one.holds for one in self.partitions) else "THE CHAIN IS BROKEN"
        show_table(
            ("partition", "heads", "chained", "gone", "verified", "unsealed", ""),
            [
                (
                    f"{one.topic}[{one.partition}]",
                    *(one.heads, one.chained, one.gone, one.verified, one.unsealed),
                    "" if one.finding is None else one.finding.fault.value,
                )
                for one in self.partitions
            ],
            title if proven else f"{title} (keys as the heads name them: not proven)",
        )
        for one in self.partitions:
            if one.finding is not None:
                where = "" if one.finding.offset is None else f", offset {one.finding.offset} ({one.finding.key})"
                place = f"{one.topic}[{one.partition}], place {one.finding.index}{where}"
                typer.echo(f"{place}: {one.finding.fault.value}: {one.finding.detail}")
        for stray in self.strays:
            typer.echo(f"a record that is no head: {stray}")


def _live_chain(
    keys: list[str], anchors: list[Anchor], looked: Callable[..., None] = lambda *_: None, unsealed_ms: int = 60_000
) -> ChainReport:
    from linewarden_audit.notary.verifying import Witness, keys_in_heads, verify_namespace  # noqa: PLC0415 - as above

    broker, namespace = recorded.live()
    witness = Witness(now_ms(), unsealed_ms, anchors)
    found = verify_namespace(broker, namespace, keys or keys_in_heads(broker, namespace), witness, looked)
    return ChainReport(found.partitions, bool(keys), None, found.sealed, found.strays)


def _archived_chain(folder: Path, keys: list[str], anchors: list[Anchor], looked: Callable[..., None]) -> ChainReport:
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - as above
    from linewarden_archive.chain import heads, verify_chain  # noqa: PLC0415
    from linewarden_archive.verify import verify_archive  # noqa: PLC0415

    files = verify_archive(folder, looked=looked)
    if not files.is_read:
        return ChainReport([], bool(keys), files)
    opened = Archive(folder)
    trusted = keys or {head.public_key for head in heads(opened)}
    return ChainReport(verify_chain(opened, trusted, looked, anchors), bool(keys), files)
