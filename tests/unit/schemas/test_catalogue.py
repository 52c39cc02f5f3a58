"""The catalogue names exactly those that write and read a topic, as the source has it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from linewarden_schemas.topics import CATALOGUE, READ_ALL, Topic
from tests.support.topic_use import topic_uses

ROOT = Path(__file__).parents[3]
PARTIES = {
    "linewarden": "cli",
    "linewarden_archive": "archive",
    "linewarden_audit": "audit",
    "linewarden_audit.notary": "notary",
    "linewarden_history": "history",
    "linewarden_ingest": "ingest",
    "linewarden_inspect": "inspect",
    "linewarden_inspect.keeper": "keeper",
    "linewarden_reinspect": "station",
    "linewarden_reinspect.projector": "projector",
    "linewarden_reinspect.bootstrap.open_projector": "projector",
    "linewarden_line": "line",
    "linewarden_onward": "onward",
    "linewarden_replay": "replay",
    "linewarden_route": "route",
}
"""By package, or by a part of one that runs as a process of its own; the longest name that fits counts."""
ELSEWHERE = frozenset({"replay", "archive"})
"""These write under `replay.<run>` and `shadow.<run>` alone (`linewarden_runtime.guard`), so in no topic of a line."""
UNNAMED = {("reads", "frames", "keeper"), ("reads", "inspections", "keeper")} | {
    ("reads", topic, "archive") for topic in CATALOGUE
}
"""Reading that names no topic: the keeper fetches what a slot refers to, the archive takes all that there are."""


def party_of(place: str) -> str:
    """Who a symbol belongs to; raises ValueError for a package that nobody has named here."""
    return PARTIES[max((name for name in PARTIES if f"{place}.".startswith(f"{name}.")), key=len)]


def used(root: Path) -> set[tuple[str, str, str]]:
    """Verb, topic and party of every use in the source, but for what it offers to tests."""
    uses = [one for one in topic_uses(root, frozenset(CATALOGUE)) if not one.module.endswith(".testing")]
    found = {(one.verb, one.topic, party_of(f"{one.module}.{one.symbol}")) for one in uses}
    return {one for one in found if one[0] == "reads" or one[2] not in ELSEWHERE}


def named(catalogue: Mapping[str, Topic]) -> set[tuple[str, str, str]]:
    """Verb, topic and party of every use that a catalogue names."""
    reads = {("reads", name, party) for name, topic in catalogue.items() for party in (*topic.read_by, *READ_ALL)}
    return reads | {("writes", name, party) for name, topic in catalogue.items() for party in topic.written_by}


@pytest.fixture(scope="module")
def found() -> set[tuple[str, str, str]]:
    return used(ROOT / "services") | UNNAMED


def test_every_writer_and_reader_of_the_source_is_named_and_no_other(found: set[tuple[str, str, str]]) -> None:
    assert sorted(found - named(CATALOGUE)) == []
    assert sorted(named(CATALOGUE) - found) == []


def test_a_reader_that_is_left_out_and_one_that_does_not_exist_show(found: set[tuple[str, str, str]]) -> None:
    wrong = CATALOGUE | {"queue-events": replace(CATALOGUE["queue-events"], read_by=("station", "audit"))}
    assert found - named(wrong) == {("reads", "queue-events", "history")}
    assert named(wrong) - found == {("reads", "queue-events", "audit")}


def test_no_topic_is_without_a_writer() -> None:
    assert [name for name, topic in CATALOGUE.items() if topic.is_reserved] == []


WRITER = """
from linewarden_runtime.records import OutRecord
TOPIC = "balances"

class Writer:
    def __init__(self, namespace):
        self._topic = namespace.topic("captures")
    def one(self):
        return OutRecord(self._topic, b"", b"")
    def other(self, namespace):
        return self._made(namespace.topic(TOPIC))
    def _made(self, topic):
        return OutRecord(topic, b"", b"")
"""
READER = """
JOINED = ("frames", "decisions")

def follow(broker, namespace):
    for name in JOINED:
        topic = namespace.topic(name)
        places = [(topic, 0)]
        with broker.reader(dict.fromkeys(places, 0)) as reader:
            reader.poll()

def describe(admin, namespace):
    return admin.describe(namespace.topic("recipes"))
"""


@pytest.mark.parametrize(
    ("package", "source", "uses"),
    [
        ("linewarden_ingest", WRITER, {("writes", "captures", "ingest"), ("writes", "balances", "ingest")}),
        ("linewarden_route", READER, {("reads", "frames", "route"), ("reads", "decisions", "route")}),
    ],
)
def test_a_use_is_found_however_the_name_comes_to_it(
    package: str, source: str, uses: set[tuple[str, str, str]], tmp_path: Path
) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / "work.py").write_text(source)
    assert used(tmp_path) == uses


def test_what_lies_in_a_shared_package_counts_for_who_refers_to_it(tmp_path: Path) -> None:
    for package in ("linewarden_runtime", "linewarden_ingest", "linewarden_inspect"):
        (tmp_path / package).mkdir()
    (tmp_path / "linewarden_runtime" / "books.py").write_text(
        "class Book:\n    def __init__(self, broker, topic):\n        self.reader = broker.reader({topic: 0})\n"
        "class RecipeBook:\n    def __init__(self, broker, ns):\n        self.it = Book(broker, ns.topic('recipes'))\n"
    )
    (tmp_path / "linewarden_ingest" / "pins.py").write_text(
        "from linewarden_runtime.books import RecipeBook\ndef pins(broker, ns):\n    return RecipeBook(broker, ns)\n"
    )
    (tmp_path / "linewarden_inspect" / "stage.py").write_text("from linewarden_runtime.books import Book\n")
    assert used(tmp_path) == {("reads", "recipes", "ingest")}
