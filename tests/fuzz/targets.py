"""What is fuzzed: each target takes an input made of dice, and raises where something that must hold does not.

A target answers in a word what became of the input, for the counts. It may raise nothing but what its module's own
promise names; anything else ends the run.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from fastapi.testclient import TestClient
from pydantic import ValidationError

from linewarden_domain.study_sheet import parse
from linewarden_domain.tables import UnusableTable, parse_table
from linewarden_reinspect.station.app import create_app
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.envelope import EnvelopeError, decode, encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.samples import SAMPLES
from linewarden_train.data.coco import read_coco
from linewarden_vision.inspecting.intake import read_frame, verify
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.decoders import DecoderLimits, Decoders
from linewarden_vision.pictures.reading import PictureLimits, check_size, read_header
from tests.fuzz.mutating import mutated, mutated_json, mutated_text
from tests.support import picture_files as files
from tests.support.frames import frame_record
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import LINK, rig
from tests.unit.reinspect.slots import AT

Target = Callable[[Random], str]
LIMITS = PictureLimits(max_bytes=1 << 20, max_pixels=1_000_000)
NAMESPACE = Namespace("line1")


def _pictures() -> list[bytes]:
    grey, colour = files.textured(24, 32), files.textured(24, 32, 3)
    restarted = files.encoded(grey, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    progressive = files.encoded(colour, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    found = [files.encoded(one, suffix) for one in (grey, colour) for suffix in (".jpg", ".png", ".bmp", ".webp")]
    found += [restarted, progressive, files.turned(found[0], 6), files.stereo(found[0], found[0])]
    found += [files.tiff(grey, t274=6), files.tiff(grey.astype(np.uint16)), files.encoded(colour, ".tiff")]
    return [*found, files.png_with(found[1], b"tEXt", b"a\0b")]


def pictures(decoders: Decoders) -> Target:
    """Mutated files of every format: refused in words, or decoded to what their header says."""
    whole = _pictures()

    def run(dice: Random) -> str:
        payload = mutated(dice.choice(whole), dice)
        try:
            header = read_header(payload)
            check_size(header, LIMITS)
            decoded = decoders.decode(payload, header)
        except PictureRefused as refused:
            return "refused" if refused.detail else "refused without a word"
        assert decoded.shape == header.shape
        assert decoded.itemsize * 8 == header.depth
        return "read"

    return run


def frames() -> Target:
    """Mutated headers and pictures of a frame's record: no other picture is ever taken for the captured one."""
    whole = [one for one in _pictures() if one.startswith((b"\xff\xd8", b"\x89PNG"))]
    records = [frame_record(NAMESPACE, payload, number) for number, payload in enumerate(whole)]

    def run(dice: Random) -> str:
        record = dice.choice(records)
        headers, value = list(record.headers), record.value or b""
        if dice.random() < 0.8:
            at = dice.randrange(len(headers))
            name, content = headers[at]
            match dice.randrange(4):
                case 0:
                    del headers[at]
                case 1:
                    headers.append((name, content))
                case 2:
                    headers[at] = (mutated_text(name, dice), content)
                case _:
                    headers[at] = (name, mutated(content, dice))
        else:
            value = mutated(value, dice)
        try:
            frame = read_frame(headers, value, LIMITS)
            verify(frame, LIMITS)
        except PictureRefused:
            return "refused"
        assert value == record.value, "another picture was taken for the captured one"
        return "taken"

    return run


def messages() -> Target:
    """Mutated JSON of every message: refused by the envelope, or read, and read again when it is written."""
    encoded = [encode(one, id="id", source="/test", time_ms=1_764_000_000_000) for one in SAMPLES]

    def run(dice: Random) -> str:
        one = dice.choice(encoded)
        value = json.dumps(mutated_json(json.loads(one.value), dice)).encode()
        if dice.random() < 0.2:
            value = mutated(value, dice)
        try:
            message = decode(one.headers, value).message
        except EnvelopeError:
            return "refused"
        again = encode(message, id="id", source="/test", time_ms=1_764_000_000_000)
        assert type(decode(again.headers, again.value).message) is type(message)  # what is written is read
        return "read"

    return run


def recipes() -> Target:
    """Mutated recipes: refused, or whole when read again."""
    (whole,) = [one for one in SAMPLES if isinstance(one, Recipe)]
    document = json.loads(whole.model_dump_json())

    def run(dice: Random) -> str:
        text = json.dumps(mutated_json(document, dice))
        try:
            recipe = Recipe.model_validate_json(text)
        except ValidationError:
            return "refused"
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
        return "read"

    return run


def sheets() -> Target:
    """Mutated tables and study sheets: refused by name, or rows whose needed cells are all there."""
    table = "image, part_id;class\na.png,P1,good\n,,\nb.png,P2,crack\n"
    sheet = "token,picture,answer\nt1,t1.png,OK\nt2,t2.png,\n"
    known = {"image": ("file",), "part_id": ("group",), "class": ()}

    def run(dice: Random) -> str:
        try:
            if dice.random() < 0.5:
                rows = parse_table(mutated_text(table.replace(";", ","), dice), known, ("image",), "t").rows
                assert all(row["image"] for row in rows)
            else:
                tokens = [row.token for row in parse(mutated_text(sheet, dice))]
                assert len(set(tokens)) == len(tokens)
        except (UnusableTable, ValueError):
            return "refused"
        return "read"

    return run


def coco(folder: Path) -> Target:
    """Mutated COCO files: refused by name before any native code, or masks of the picture's size."""
    document: dict[str, Any] = {
        "images": [{"id": n, "file_name": f"{n}.png", "height": 40, "width": 56} for n in range(2)],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "area": 9, "segmentation": [[2, 2, 9, 2, 9, 9]]},
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"size": [40, 56], "counts": [10, 5, 2225]}},
            {"id": 3, "image_id": 0, "category_id": 1, "segmentation": {"size": [40, 56], "counts": ":5f1Q2"}},
        ],
        "categories": [{"id": 1, "name": "crack"}],
    }
    path = folder / "labels.json"

    def run(dice: Random) -> str:
        path.write_text(json.dumps(mutated_json(document, dice)))
        try:
            entries = read_coco(folder).entries
            for entry in entries:
                drawn = None if entry.mask is None else entry.mask.read((40, 56))
                assert drawn is None or drawn.mask.shape == (40, 56)
        except ValueError:
            return "refused"
        return "read" if entries else "no set"

    return run


def requests(stack: ExitStack) -> Target:
    """Mutated requests to the station, signed in: never a fault of the server, and nothing is decided."""
    clock = ManualClock(AT)
    made = stack.enter_context(rig(MemoryBroker(clock), MemoryQueue(clock), clock))
    made.open_slot(1, size=64)
    made.settle()
    client = TestClient(create_app(made.station), base_url="http://station.test", follow_redirects=False)
    headers = {"origin": "http://station.test", "sec-fetch-site": "same-origin"}
    client.post("/sign-in", data={"link": LINK, "name": "ada"}, headers=headers)
    session = next(one for one in made.station.access.sessions._sessions.values() if one.actor == "ada")
    headers["x-linewarden-token"] = session.csrf
    visit = client.post("/api/claim", json={}, headers=headers).json()["visit"]
    slot, frame = visit["slot_id"], visit["frames"][0]["frame_id"]
    mark = {"frame_id": frame, "mask_png": "iVBORw0KGgo="}
    body = {
        "token": "another",
        "judgement": "NG",
        "shown": [{"frame_id": frame, "layers": ["picture"]}],
        "marks": [mark],
    }
    paths = [
        f"/api/slots/{slot}/decision", f"/api/slots/{slot}/first", f"/api/slots/{slot}/renew", "/api/claim",
        f"/frames/{frame}/picture", f"/frames/{frame}/mask", "/api/me", "/api/study/answers", "/sign-in",
        f"/api/slots/{slot}/evidence?token=x", "/api/thresholds/frames/x", "/api/undo",
    ]  # fmt: skip

    def run(dice: Random) -> str:
        path = dice.choice(paths)
        if dice.random() < 0.3:
            path = "/" + quote(mutated_text(path, dice).lstrip("/"), safe="/?=&%.")
        content = json.dumps(mutated_json(body, dice)).encode()
        if dice.random() < 0.2:
            content = mutated(content, dice)
        method = dice.choice(("POST", "POST", "GET"))
        sent = headers | {"content-type": "application/json"}
        answer = client.request(method, path, content=content, headers=sent)
        assert answer.status_code < 500, (method, path, content, answer.text[:300])
        assert not made.decisions(), "a mutated request decided something"
        return "refused" if answer.status_code >= 400 else "answered"

    return run


def every(stack: ExitStack, folder: Path) -> Iterator[tuple[str, Target]]:
    """All targets by name; what they hold ends with the stack."""
    decoders = stack.enter_context(Decoders(1, DecoderLimits(seconds=30.0)))
    warnings.simplefilter("ignore")
    yield "frames", frames()
    yield "pictures", pictures(decoders)
    yield "messages", messages()
    yield "recipes", recipes()
    yield "sheets", sheets()
    yield "coco", coco(folder)
    yield "requests", requests(stack)
