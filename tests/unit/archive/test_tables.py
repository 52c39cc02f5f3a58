"""An archive's tables, asked by SQL with a tool that knows nothing of this project."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from linewarden_archive.places import segment_path
from linewarden_archive.tables import columns_of, read_table, salvage_table, write_table
from linewarden_runtime.records import InRecord
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.samples import SAMPLES
from linewarden_schemas.topics import CATALOGUE
from tests.unit.archive.kept import Line

SAMPLE = next(one for one in SAMPLES if isinstance(one, Disposition) and one.revision == 0)


def ask(line: Line, topic: str, question: str) -> list[tuple[object, ...]]:
    folder = (line.root / topic).as_posix()
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(f"CREATE VIEW told AS FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = true)")
        return database.execute(question).fetchall()


@pytest.fixture
def archived(line: Line) -> Line:
    for number in range(20):
        changes = {"visit_id": f"v{number}", "part_id": f"P{number}", "decided_ms": SAMPLE.decided_ms + number}
        line.put("dispositions", SAMPLE.model_copy(update=changes), f"v{number}", SAMPLE.decided_ms)
    line.put_raw("dispositions", b"\xff no JSON", b"[1]", None, b'{"part_id": 7, "decided_ms": "late"}')
    line.archive()
    return line


def test_fields_of_messages_are_columns_and_times_are_times(archived: Line) -> None:
    asked = "SELECT decided_time, routing, final, recipe->>'recipe_id' FROM told WHERE part_id = 'P7'"
    (row,) = ask(archived, "dispositions", asked)
    decided = datetime.fromtimestamp((SAMPLE.decided_ms + 7) / 1000, UTC)
    assert row == (decided, SAMPLE.routing.value, SAMPLE.final, SAMPLE.recipe.recipe_id)


def test_the_folder_of_a_topic_is_a_data_set_with_its_partitions(archived: Line) -> None:
    found = ask(archived, "dispositions", "SELECT partition, count(*) FROM told GROUP BY ALL ORDER BY 1")
    kept = [one.partition for one in archived.records("dispositions")]
    assert found == [(number, kept.count(number)) for number in sorted(set(kept))]
    whole = pyarrow.dataset.dataset(archived.root / "dispositions", format="parquet", partitioning="hive")
    assert whole.count_rows() == len(kept)


def test_what_is_no_message_has_no_fields_and_comes_back_as_it_was(archived: Line) -> None:
    strays = ask(
        archived, "dispositions", "SELECT record_value FROM told WHERE visit_id IS NULL ORDER BY record_offset"
    )
    assert [value for (value,) in strays] == [b"\xff no JSON", b"[1]", None, b'{"part_id": 7, "decided_ms": "late"}']


@pytest.mark.parametrize("topic", [name for name in CATALOGUE if name != "frames"])
def test_every_column_of_every_topic_is_named_without_quotes(topic: str) -> None:
    record = InRecord(f"line1.{topic}", 0, 0, 0, b"k", b"{}", ())
    content = write_table([record], topic)
    table = pyarrow.parquet.read_table(pa.BufferReader(content))
    with duckdb.connect() as database:
        database.register("told", table)
        reserved = database.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        ).fetchall()
        assert not {word for (word,) in reserved} & set(table.column_names)
        database.execute(f"SELECT {', '.join(table.column_names)} FROM told").fetchall()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.TYPE)
def test_every_field_but_bytes_of_every_message_is_told(sample: Disposition) -> None:
    topic = next(name for name, one in CATALOGUE.items() if type(sample) in one.messages)
    document = json.loads(sample.to_json())
    cells = {column.field: column.cell(document) for column in columns_of(topic)}
    untold = {field for field in document if cells.get(field) is None}
    assert untold <= {"maps", "picture", "links", "signature", "value", "key", "headers", "marks"}


def test_a_file_of_the_first_layout_is_read_where_it_lies(archived: Line) -> None:
    entry = next(iter(archived.archive().segments("dispositions")))
    path = segment_path(archived.root, entry.place)
    assert path.parent.name == f"partition={entry.partition}"
    before = archived.root / "dispositions" / str(entry.partition) / path.name
    before.parent.mkdir()
    path.rename(before)
    assert segment_path(archived.root, entry.place) == before


def test_columns_of_the_first_layout_give_the_same_records() -> None:
    record = InRecord("line1.dispositions", 1, 5, 1_700_000_000_000, b"k", b"{}", (("h", b"\xff"),), leader_epoch=3)
    table = pyarrow.parquet.read_table(pa.BufferReader(write_table([record], "dispositions")))
    first = pa.table(
        {
            "offset": table["record_offset"],
            "timestamp_ms": table["record_time"].cast(pa.int64()),
            "leader_epoch": table["leader_epoch"],
            "key": table["record_key"],
            "headers": table["record_headers"],
            "value": table["record_value"],
            "type": table["event_type"],
        }
    )
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(first, sink)
    content = sink.getvalue().to_pybytes()
    assert read_table(content, "line1.dispositions", 1) == [record]
    assert salvage_table(content, "line1.dispositions", 1) == [record]


def test_an_event_in_structured_mode_has_its_type_and_its_fields() -> None:
    event = {"specversion": "1.0", "type": Disposition.TYPE, "data": json.loads(SAMPLE.to_json())}
    headers = (("content-type", b"application/cloudevents+json"),)
    record = InRecord("line1.dispositions", 0, 0, 0, b"k", json.dumps(event).encode(), headers)
    (row,) = pyarrow.parquet.read_table(pa.BufferReader(write_table([record], "dispositions"))).to_pylist()
    assert (row["event_type"], row["visit_id"]) == (Disposition.TYPE, SAMPLE.visit_id)


@pytest.mark.parametrize("at_ms", [0, -1, 253_402_300_800_000, 2**53])
def test_a_time_beyond_what_python_can_tell_comes_back(at_ms: int) -> None:
    record = InRecord("line1.dispositions", 0, 0, at_ms, None, None, ())
    assert read_table(write_table([record], "dispositions"), record.topic, 0) == [record]
