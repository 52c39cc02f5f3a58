"""The machine's presentations: pictures of planned parts, judged offline with one bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from linewarden_history.msa.models import AppraisalPlan, Machine, Presentation
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Judgement, Undecidable, Verdict, VerdictRule
from linewarden_vision.inspecting.judging import code_version, thresholds_of_card, verdict_of
from linewarden_vision.inspecting.preparing import prepare
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.scorer import Scorer, score_batch
from linewarden_vision.inspector import ViewScore
from linewarden_vision.pictures.reading import read_picture
from linewarden_vision.standing import UNTRUSTED_STAGES, OkDoubt


def present(
    plan: AppraisalPlan, scorer: Scorer, most: int | None = None, progress: Callable[[int], object] = lambda _: None
) -> Machine:
    """Judge every presentation of every planned part, at most `most` of each.

    The same picture once more would be the same answer once more: a presentation is a picture of its own.
    """
    stage = scorer.card.stage
    limits = thresholds_of_card(scorer.card, OkDoubt(UNTRUSTED_STAGES[stage]) if stage in UNTRUSTED_STAGES else None)
    found: list[Presentation] = []
    pending = _read(plan, scorer, most)
    while batch := list(islice(pending, 16)):
        ready = [one[3] for one in batch if not isinstance(one[3], PictureRefused)]
        answers = iter(score_batch(scorer, ready))
        for part_id, picture, sha256, prepared in batch:
            answer = prepared if isinstance(prepared, PictureRefused) else next(answers)
            found.append(_presentation(part_id, picture, sha256, answer, limits))
        progress(len(batch))
    return Machine(
        bundle_digest=scorer.digest,
        stage=scorer.card.stage,
        code_version=code_version(),
        device=scorer.device,
        precision=scorer.precision,
        defect=limits.defect,
        suspicion=limits.suspicion,
        presentations=tuple(found),
    )


def _read(
    plan: AppraisalPlan, scorer: Scorer, most: int | None
) -> Iterator[tuple[str, str, str, object | PictureRefused]]:
    """Part, picture, its digest, and what the network takes or why not."""
    for part in plan.parts:
        for picture in part.pictures[:most]:
            try:
                content = Path(picture).read_bytes()
            except OSError as error:
                yield part.part_id, picture, "", PictureRefused(Undecidable.UNREADABLE, str(error.strerror))
                continue
            try:
                prepared: object | PictureRefused = prepare(scorer, read_picture(content))
            except PictureRefused as refused:
                prepared = refused
            yield part.part_id, picture, hashlib.sha256(content).hexdigest(), prepared


def _presentation(
    part_id: str, picture: str, sha256: str, answer: ViewScore | PictureRefused, limits: Thresholds
) -> Presentation:
    if isinstance(answer, PictureRefused):
        withheld = {"verdict": Judgement.UNSURE, "answer": Judgement.UNSURE, "undecidable": answer.reason.value}
        return Presentation(part_id=part_id, picture=picture, sha256=sha256, **withheld)
    verdict = Judgement.NG if verdict_of(VerdictRule.CLASSIFIER, answer, limits) is Verdict.NG else Judgement.OK
    doubted = verdict is Judgement.OK and not answer.suspicion < limits.suspicion
    return Presentation(
        part_id=part_id,
        picture=picture,
        sha256=sha256,
        verdict=verdict,
        answer=Judgement.UNSURE if doubted else verdict,
        p_defect=answer.p_defect,
        suspicion=answer.suspicion,
    )
