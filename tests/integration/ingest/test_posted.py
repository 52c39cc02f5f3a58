"""Clients that post to ingest, over HTTPS, and to processes of ingest that die over it."""

from __future__ import annotations

import hashlib
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from linewarden_ingest.cameras.posted import PostedCamera, PostOptions
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace
from tests.support.ingest_line import Arrived
from tests.support.live_camera import LiveCamera, times_taken
from tests.support.picture_files import encoded, textured
from tests.support.processes import wait_for
from tests.support.spooled_camera import SpooledCamera
from tests.unit.ingest.lines import PLACE, set_up_line

TOKEN = "a secret of some length"


def jpeg(seed: int) -> bytes:
    return encoded(textured(seed=seed, channels=3), ".jpg")


def headers(number: int) -> dict[str, str]:
    return {
        "Content-Type": "image/jpeg",
        "Authorization": f"Bearer {TOKEN}",
        "Idempotency-Key": f"shot-{number}",
        "Linewarden-Part-Id": f"S{number}",
    }


def test_https_with_a_certificate_of_the_plants_own(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    assert openssl is not None
    made = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    subprocess.run([*made, "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "token").write_text(TOKEN)
    options = PostOptions(
        camera_id=PLACE.camera_id,
        view_id=PLACE.view_id,
        port=0,
        token_file=tmp_path / "token",
        cert_file=tmp_path / "cert.pem",
        key_file=tmp_path / "key.pem",
    )
    ingest = SpooledCamera(options, tmp_path / "spool", SystemClock())
    assert isinstance(ingest.camera, PostedCamera)
    url = f"https://127.0.0.1:{ingest.camera.port}/captures"
    trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with ThreadPoolExecutor(1) as pool, httpx.Client(verify=trusted, timeout=30.0) as client:
        answer = pool.submit(client.post, url, content=jpeg(1), headers=headers(1))
        ingest.until(answer.done, "an answer")
    ingest.close()
    assert answer.result().status_code == 202
    assert answer.result().json()["sha256"] == hashlib.sha256(jpeg(1)).hexdigest()


def test_what_was_answered_is_published_once_though_the_process_is_killed_again_and_again(
    tmp_path: Path, tansu: EmbeddedBroker, tansu_broker: KafkaBroker, namespace: str
) -> None:
    set_up_line(tansu_broker, Namespace(namespace))
    (tmp_path / "token").write_text(TOKEN)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"kind": "http", "port": port, "token_file": str(tmp_path / "token")}
    ingest = LiveCamera(namespace, tansu.bootstrap_servers, settings, tmp_path)
    answers: dict[int, str] = {}
    ended = threading.Event()

    def device(first: int) -> None:
        """Post until it is answered, as a smart camera with a memory does."""
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0) as client:
            for number in range(first, 120, 2):
                while number not in answers and not ended.is_set():
                    try:
                        answer = client.post("/captures", content=jpeg(number), headers=headers(number))
                    except httpx.TransportError:
                        ended.wait(0.05)
                        continue
                    assert answer.status_code in {202, 503}, answer.text
                    if answer.status_code == 202:
                        answers[number] = answer.json()["frame_id"]

    with ThreadPoolExecutor(2) as pool:
        devices = [pool.submit(device, first) for first in range(2)]
        try:
            process = ingest.start()
            for enough in (20, 50, 80):
                wait_for(lambda least=enough: len(answers) >= least, "answers")  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
                process.wait()
                process = ingest.start()
            wait_for(lambda: all(one.done() for one in devices), "the last answer")
            again = httpx.post(f"http://127.0.0.1:{port}/captures", content=jpeg(0), headers=headers(0), timeout=30.0)
        finally:
            ended.set()
        for one in devices:
            one.result()
    process.terminate()
    assert process.wait(60) == 0, ingest.log
    assert (again.status_code, again.json()["frame_id"]) == (202, answers[0])
    arrived = Arrived.read(tansu_broker, namespace)
    whole = {one.frame_id: one for one in arrived.captures if one.lost is None}
    assert set(answers) == set(range(120))
    assert set(whole) == set(answers.values())
    assert set(times_taken(arrived).values()) == {1}
    assert {whole[frame].part_id for frame in answers.values()} == {f"S{number}" for number in range(120)}
    pictures = {frame.meta.frame_id: frame.picture for frame in arrived.frames}
    assert all(pictures[frame] == jpeg(number) for number, frame in answers.items())
