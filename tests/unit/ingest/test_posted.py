"""A smart camera's posts: what is refused, what is taken, and that the answer comes when it is safe."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from linewarden_ingest.cameras.interface import CameraFault, EncodedPicture
from linewarden_ingest.cameras.posted import PostedCamera, PostOptions
from linewarden_ingest.captures import build_capture
from linewarden_ingest.settings import IngestOptions, with_cameras
from linewarden_ingest.spool.spool import SpoolLimits
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import Loss
from tests.support.picture_files import encoded, textured
from tests.support.processes import wait_for
from tests.support.spooled_camera import SpooledCamera
from tests.unit.ingest.lines import PINS, PLACE

TOKEN = "a secret of some length"
JPEG = {"Content-Type": "image/jpeg"}


def jpeg(seed: int) -> bytes:
    return encoded(textured(seed=seed, channels=3), ".jpg")


class Device:
    """A server with its spool, and a client; the test says when a shot is taken and when it is safe."""

    def __init__(self, folder: Path, limits: SpoolLimits | None = None, **options: Any) -> None:
        self._folder, self._limits = folder, limits
        given = {"camera_id": PLACE.camera_id, "view_id": PLACE.view_id, "port": 0, **options}
        self.options = PostOptions.model_validate(given)
        self._pool = ThreadPoolExecutor(8)
        self.start()

    def start(self) -> None:
        self.ingest = SpooledCamera(self.options, self._folder, SystemClock(), self._limits)
        assert isinstance(self.ingest.camera, PostedCamera)
        self.port = self.ingest.camera.port
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30.0)

    def again(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        self.ingest.close()
        self.client.close()

    def close(self) -> None:
        self.stop()
        self._pool.shutdown()

    def posts(self, content: bytes, headers: dict[str, str] | None = None, **more: Any) -> Future[httpx.Response]:
        """Post without waiting."""
        sent = {**JPEG, **(headers or {})}
        return self._pool.submit(self.client.post, "/captures", content=content, headers=sent, **more)

    def post(self, content: bytes, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """Post, and take turns until the answer is there."""
        answer = self.posts(content, headers, **more)
        self.ingest.until(answer.done, "an answer")
        return answer.result()

    def pictures(self) -> list[bytes | None]:
        return [payload for _, payload in self.ingest.taken()]


Make = Callable[..., Device]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Device] = []

    def device(**options: Any) -> Device:
        made.append(Device(tmp_path, **options))
        return made[-1]

    yield device
    for one in made:
        one.close()


def test_a_post_is_answered_when_its_picture_is_safe_and_not_before(make: Make) -> None:
    device = make()
    answer = device.posts(jpeg(1))
    while device.ingest.spool.next_sequence == 0:
        device.ingest.intake.step()
    for _ in range(30):
        device.ingest.intake.step()
    assert not answer.done()
    device.ingest.spool.sync()
    device.ingest.until(answer.done, "the answer")
    told = answer.result()
    assert told.status_code == 202
    ((capture, picture),) = device.ingest.taken()
    assert picture == jpeg(1)
    assert told.json() == {
        "frame_id": capture.frame_id,
        "visit_id": capture.visit_id,
        "sequence": 0,
        "sha256": capture.sha256,
        "lost": None,
    }


def test_part_data_come_as_headers_as_the_query_or_as_fields_of_a_form(make: Make) -> None:
    device = make()
    headers = {"Linewarden-Visit": "7", "Linewarden-Trigger-Ms": "5000", "Linewarden-Part-Id": "S1"}
    query = {"visit": "8", "trigger_ms": "6000", "lot_id": "L1", "product_id": "P1", "view_id": "x"}
    device.post(jpeg(1), headers)
    refused = device.post(jpeg(2), params=query)
    assert (refused.status_code, "view_id" in refused.text) == (422, True)
    del query["view_id"]
    device.post(jpeg(2), params={**query, "view": "side"})
    form = {"visit": "9", "part_id": "S3"}
    request = device.client.build_request(
        "POST", "/captures", data=form, files={"picture": ("a.jpg", jpeg(3), "image/jpeg")}
    )
    answer = device._pool.submit(device.client.send, request)
    device.ingest.until(answer.done, "an answer")
    assert answer.result().status_code == 202, answer.result().text
    found = device.ingest.taken()
    assert [picture for _, picture in found] == [jpeg(1), jpeg(2), jpeg(3)]
    first, second, third = (capture for capture, _ in found)
    assert (first.visit_id, first.part_id, first.captured_ms) == ("line1.st1.0000000005000.000007", "S1", 5_000)
    assert (second.visit_id, second.lot_id, second.product_id) == ("line1.st1.0000000006000.000008", "L1", "P1")
    assert second.view_id == "side"
    assert (third.visit_id, third.part_id) == ("line1.st1.0000000001000.000009", "S3")


def test_a_device_whose_clock_is_ahead_gets_no_longer_to_be_decided(make: Make) -> None:
    device = make()
    device.post(jpeg(1), {"Linewarden-Trigger-Ms": "9999999999999"})
    ((capture, _),) = device.ingest.taken()
    assert capture.captured_ms <= SystemClock().now_ms()


REFUSALS: list[tuple[int, bytes, dict[str, str], dict[str, str], str]] = [
    (415, b"x", {"Content-Type": "text/plain"}, {}, "text/plain"),
    (415, b"no picture", {}, {}, "no picture of type image/jpeg"),
    (415, b"", {}, {}, "no picture"),
    (415, jpeg(1), {"Content-Type": "image/png"}, {}, "image/png"),
    (413, bytes(2_000_000), {}, {}, "1000000"),
    (422, jpeg(1), {}, {"visit": "-1"}, "visit"),
    (422, jpeg(1), {}, {"visit": "x"}, "visit|invalid"),
    (422, jpeg(1), {}, {"part_id": "no id!"}, "no id"),
    (422, jpeg(1), {}, {"trigger_ms": "1.5"}, "trigger_ms"),
    (422, jpeg(1), {}, {"view": "v" * 128}, "too long"),
    (422, jpeg(1), {}, {"colour": "red"}, "colour"),
    (422, jpeg(1), {"Linewarden-Visit": "1"}, {"visit": "2"}, "twice"),
    (422, jpeg(1), {"Idempotency-Key": "k" * 300}, {}, "Idempotency-Key"),
]


@pytest.mark.parametrize(("status", "content", "headers", "query", "words"), REFUSALS)
def test_what_cannot_be_used_is_refused_with_the_reason_and_nothing_is_taken(
    make: Make, status: int, content: bytes, headers: dict[str, str], query: dict[str, str], words: str
) -> None:
    device = make(max_bytes=1_000_000)
    refused = device.post(content, headers, params=query)
    assert refused.status_code == status
    assert any(word in refused.json()["detail"] for word in words.split("|"))
    assert device.ingest.spool.next_sequence == 0


def test_forms_that_are_none_and_other_paths_are_refused(make: Make) -> None:
    device = make(max_bytes=1_000_000)
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert device.post(b"--x\r\nbroken", form).status_code == 422
    assert device.post(b"", {"Content-Type": "multipart/form-data"}).status_code == 422
    fields = b'--x\r\nContent-Disposition: form-data; name="visit"\r\n\r\n1\r\n--x--\r\n'
    assert "no picture" in device.post(fields, form).text
    head = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\nContent-Type: '
    assert device.post(head + b"text/plain\r\n\r\nabc\r\n--x--\r\n", form).status_code == 415
    large = head + b"image/jpeg\r\n\r\n" + bytes(1_000_001) + b"\r\n--x--\r\n"
    assert device.post(large, form).status_code == 413
    assert device.client.get("/captures").status_code == 405
    assert device.client.post("/other").status_code == 404
    assert device.ingest.spool.next_sequence == 0


def test_a_picture_that_came_whole_and_is_damaged_is_a_capture_with_its_loss(make: Make) -> None:
    device = make()
    told = device.post(jpeg(1)[:-2], {"Linewarden-Visit": "7"})
    assert (told.status_code, told.json()["lost"]) == (202, "unreadable")
    ((capture, picture),) = device.ingest.taken()
    assert (picture, capture.lost, capture.visit_id[-6:]) == (None, Loss.UNREADABLE, "000007")
    assert "cut short" in (capture.lost_detail or "")


def test_only_who_knows_the_token_is_answered(make: Make, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    device = make(token_file=tmp_path / "token")
    for wrong in (
        {},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": ""},
    ):
        refused = device.post(jpeg(1), wrong)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert device.post(jpeg(1), {"Authorization": f"Bearer {TOKEN}"}).status_code == 202
    assert device.pictures() == [jpeg(1)]


def test_a_page_that_somebody_opens_in_a_browser_beside_it_can_post_nothing(make: Make) -> None:
    device = make()
    assert device.post(jpeg(1), {"Origin": "https://elsewhere.example"}).status_code == 403
    assert device.ingest.spool.next_sequence == 0


def test_the_same_key_is_taken_once_with_the_same_answer_also_over_a_restart(make: Make) -> None:
    device = make()
    key = {"Idempotency-Key": "shot 1"}
    answers = [device.post(jpeg(1), key), device.post(jpeg(1), key)]
    device.again()
    answers.append(device.post(jpeg(1), key))
    assert {(one.status_code, one.text) for one in answers} == {(202, answers[0].text)}
    assert device.pictures() == [jpeg(1)]


def test_another_picture_or_other_words_under_the_same_key_are_refused(make: Make) -> None:
    device = make()
    key = {"Idempotency-Key": "shot 1"}
    device.post(jpeg(1), key)
    for content, query in ((jpeg(2), {}), (jpeg(1), {"visit": "5"})):
        refused = device.post(content, key, params=query)
        assert (refused.status_code, "Idempotency-Key" in refused.text) == (422, True)
    assert device.pictures() == [jpeg(1)]


def test_without_a_key_each_post_is_a_shot(make: Make) -> None:
    device = make()
    device.post(jpeg(1))
    device.post(jpeg(1))
    assert device.pictures() == [jpeg(1), jpeg(1)]


def test_two_at_once_with_one_key_are_one_shot_and_with_two_keys_two(make: Make) -> None:
    device = make()
    answers = [device.posts(jpeg(1), {"Idempotency-Key": "a"}) for _ in range(4)]
    answers += [device.posts(jpeg(2), {"Idempotency-Key": "b"})]
    device.ingest.until(lambda: all(one.done() for one in answers), "all answers")
    assert len({one.result().text for one in answers[:4]}) == 1
    assert {one.result().status_code for one in answers} == {202}
    assert sorted(filter(None, device.pictures())) == sorted([jpeg(1), jpeg(2)])


def test_a_shot_that_was_never_safe_is_taken_anew_under_its_key_by_the_next_process(make: Make) -> None:
    device = make(answer_s=3600.0)
    answer = device.posts(jpeg(1), {"Idempotency-Key": "a"})
    camera = device.ingest.camera
    assert isinstance(camera, PostedCamera)
    wait_for(lambda: bool(camera._waiting), "the post")
    shot = camera.poll(0.0)
    assert shot is not None
    assert isinstance(shot.picture, EncodedPicture)
    capture = build_capture(shot, shot.picture, loss=None, place=PLACE, pins=PINS, spool_epoch=1, sequence=0)
    assert shot.receipt is not None
    shot.receipt.given(capture)
    device.again()  # it was about to be spooled
    assert answer.result().status_code == 503
    assert device.post(jpeg(1), {"Idempotency-Key": "a"}).status_code == 202
    assert device.pictures() == [jpeg(1)]


def test_what_is_not_safe_in_time_is_answered_with_come_again_and_then_with_the_same_shot(make: Make) -> None:
    device = make(answer_s=0.2)
    answer = device.posts(jpeg(1), {"Idempotency-Key": "a"})
    while device.ingest.spool.next_sequence == 0 and not answer.done():
        device.ingest.intake.step()
    assert answer.result().status_code == 503
    device.options = device.options.model_copy(update={"answer_s": 3600.0})
    device.again()
    assert device.post(jpeg(1), {"Idempotency-Key": "a"}).status_code == 202
    assert device.pictures() == [jpeg(1)]


def test_a_record_that_a_death_cut_was_never_answered_and_is_taken_anew(make: Make, tmp_path: Path) -> None:
    device = make()
    device.post(jpeg(1), {"Idempotency-Key": "a"})
    camera, segment = device.ingest.camera, device.ingest.spool.segments[-1].path
    assert isinstance(camera, PostedCamera)
    camera._journal._safe.clear()  # it died before it could know
    camera._journal._db.execute("UPDATE taken SET is_safe = 0")
    device.stop()
    segment.write_bytes(segment.read_bytes()[:-5])
    device.start()
    assert device.post(jpeg(1), {"Idempotency-Key": "a"}).status_code == 202
    assert device.pictures() == [None, jpeg(1)]


def test_while_the_spool_is_full_posts_are_told_to_come_again_and_nothing_is_taken_twice(make: Make) -> None:
    size = len(jpeg(1))
    device = make(limits=SpoolLimits(5 * size, size + 2_000), answer_s=3600.0, waiting=1)
    ingest, answers = device.ingest, [device.posts(jpeg(1), {"Idempotency-Key": "0"})]

    def is_held() -> bool:
        has_room = ingest.intake.step()
        ingest.spool.sync()
        if answers[-1].done():
            answers.append(device.posts(jpeg(1), {"Idempotency-Key": str(len(answers))}))
        return not has_room

    wait_for(is_held, "a full spool")
    camera = ingest.camera
    assert isinstance(camera, PostedCamera)
    answers.append(device.posts(jpeg(1), {"Idempotency-Key": str(len(answers))}))
    wait_for(lambda: bool(camera._waiting), "one that waits")
    refused = device.posts(jpeg(1), {"Idempotency-Key": "later"}).result()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")

    def all_answered() -> bool:
        ingest.spool.acknowledge(ingest.spool.durable_next)
        return all(one.done() for one in answers)

    ingest.until(all_answered, "all answers")
    assert {one.result().status_code for one in answers} == {202}
    assert ingest.spool.next_sequence == len(answers)
    assert device.post(jpeg(1), {"Idempotency-Key": "0"}).text == answers[0].result().text
    assert ingest.spool.next_sequence == len(answers)


def test_what_nobody_asks_for_in_time_is_not_taken_any_more(make: Make) -> None:
    device = make(answer_s=0.1)
    assert device.posts(jpeg(1), {"Idempotency-Key": "a"}).result().status_code == 503  # held: nobody polls
    for _ in range(5):
        device.ingest.turn()
    assert device.ingest.spool.next_sequence == 0


def test_a_stop_answers_what_waits_and_says_to_come_again(make: Make) -> None:
    device = make(answer_s=60.0)
    camera = device.ingest.camera
    assert isinstance(camera, PostedCamera)
    answer = device.posts(jpeg(1))
    wait_for(lambda: bool(camera._waiting), "the post")
    device.ingest.close()
    assert answer.result().status_code == 503
    device.start()


def raw(port: int, request: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30.0)
    connection.sendall(request)
    return connection


def posts_of(status: str) -> float:
    labels = {"camera": PLACE.camera_id, "status": status}
    return REGISTRY.get_sample_value("linewarden_ingest_posts_total", labels) or 0.0


HEAD = b"POST /captures HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: %d\r\n\r\n" % (2 * len(jpeg(1))) + jpeg(1),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(jpeg(1)) + jpeg(1) + b"\r\n",
    ],
    ids=["announced", "chunked"],
)
def test_of_half_a_body_nothing_is_taken(make: Make, request_bytes: bytes) -> None:
    device = make()
    before = posts_of("400")
    raw(device.port, request_bytes).close()
    device.ingest.until(lambda: posts_of("400") == before + 1, "the end of the request")
    assert device.ingest.spool.next_sequence == 0


def test_a_body_that_stops_coming_is_given_up(make: Make) -> None:
    device = make(body_s=0.2)
    with raw(device.port, HEAD + b"Content-Length: 5000\r\n\r\n" + jpeg(1)[:50]) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert device.ingest.spool.next_sequence == 0


def test_a_body_without_an_announced_end_is_cut_at_the_limit(make: Make) -> None:
    device = make(max_bytes=10_000)
    piece = b"1000\r\n" + bytes(0x1000) + b"\r\n"
    with raw(device.port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + 4 * piece) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert device.ingest.spool.next_sequence == 0


def test_an_address_that_is_taken_is_a_camera_that_may_come_back(make: Make) -> None:
    device = make()
    options = device.options.model_copy(update={"port": device.port})
    with pytest.raises(CameraFault, match=f"port {device.port}"):
        SpooledCamera(options, Path(str(device._folder) + "-other"), SystemClock())


def test_a_server_that_ended_is_a_dead_camera(make: Make) -> None:
    device = make()
    camera = device.ingest.camera
    assert isinstance(camera, PostedCamera)
    camera._server.should_exit = True
    camera._thread.join()
    with pytest.raises(CameraFault, match="has ended"):
        camera.poll(0.0)


KNOWN: dict[str, object] = {"kind": "http", "camera_id": "cam0", "view_id": "top"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": "0.0.0.0"}, "token_file"),
        ({"host": "::"}, "token_file"),
        ({"host": "line7.plant"}, "token_file"),
        ({"cert_file": "a"}, "key_file"),
        ({"rate_per_s": 1.0}, "rate_per_s"),
    ],
)
def test_settings_that_would_open_it_to_strangers_or_make_no_sense_are_refused(
    given: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        IngestOptions.model_validate({"cameras": [KNOWN | given]})


def test_several_cameras_of_a_station_must_bring_their_visits(make: Make) -> None:
    with pytest.raises(ConfigurationError, match="visit"):
        with_cameras(IngestOptions.model_validate({"cameras": [KNOWN, KNOWN | {"camera_id": "cam1"}]}))
    two = [KNOWN | {"visits": True}, KNOWN | {"camera_id": "cam1", "visits": True}]
    assert len(with_cameras(IngestOptions.model_validate({"cameras": two})).cameras) == 2
    device = make(visits=True)
    assert device.post(jpeg(1)).status_code == 422
    assert device.post(jpeg(1), {"Linewarden-Visit": "1"}).status_code == 202


def test_a_token_or_certificate_that_cannot_be_used_is_told_as_a_setting(make: Make, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("abc\n")
    for given, words in (
        ({"token_file": tmp_path / "none"}, "No such file"),
        ({"token_file": tmp_path / "short"}, "at least 16"),
        ({"cert_file": tmp_path / "short", "key_file": tmp_path / "short"}, "short"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            make(**given)
