"""The words of the field and of the project, each said once; `docs/glossary.md` comes out of them and of the enums.

What a word is used in is named as it is in code (a topic, a message, an enum), and must exist.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from linewarden_schemas import alarm_vocabulary, vocabulary
from linewarden_schemas.capture import FrameMetadata
from linewarden_schemas.envelope import FRAME_TYPE
from linewarden_schemas.registry import MESSAGES
from linewarden_schemas.topics import CATALOGUE


class Word(NamedTuple):
    """What a word means, and the topics, messages and enums that it is used in; none where only documents say it."""

    meaning: str
    used_in: tuple[str, ...] = ()


WORDS: Mapping[str, Word] = {
    # The line and what goes over it.
    "part": Word(
        "The physical thing, with its serial `part_id`, lot and product. The serial may be bound late or never, and "
        "parts come back, so no id derives from it.",
        ("PartIdSource", "Capture", "Escape"),
    ),
    "visit": Word(
        "One passage of one part through a station; the trade also says presentation. The unit of join, deadline, "
        "review and disposition; every id derives from it. A part that comes back is a new visit.",
        ("Capture", "VisitSnapshot", "Disposition"),
    ),
    "view": Word(
        "One picture that the recipe expects of a visit: camera, pose and light.", ("Recipe", "Capture")
    ),
    "station": Word(
        "The place of the line where the cameras look. The operators' station is the web page where people judge.",
        ("Capture", "decisions"),
    ),
    "line state": Word(
        "What the line is doing, with order, lot, product and shift; only production passes a part on trust and enters "
        "statistics.",
        ("LineMode", "LineState", "line-state"),
    ),
    "recipe": Word(
        "Versioned, immutable settings of a product: views, bundle, thresholds, review rules, time budget. Named by "
        "id, version and the digest of its content.",
        ("Recipe", "recipes"),
    ),
    "activation": Word(
        "Which recipe version a line runs from when on, and who said so.", ("Activation", "activations")
    ),
    "namespace": Word(
        "A line or cell, `replay.<run>` or `shadow.<run>`: the prefix of every topic, group, transactional id and "
        "Redis key.",
    ),
    # From the trigger to the verdict.
    "capture": Word(
        "One trigger of one view: metadata, the pinned recipe and line state, never the picture. One without a picture "
        "says why it is lost.",
        ("Capture", "captures", "Loss"),
    ),
    "frame": Word(
        "The picture of a capture: encoded bytes as they were taken, its metadata in headers.",
        ("FrameMetadata", "frames"),
    ),
    "spool": Word(
        "The fsynced log on a camera's node. A picture counts as taken when it lies there; what is not acknowledged "
        "yet is sent again from it.",
        ("captures", "frames"),
    ),
    "spool epoch, sequence": Word(
        "Numbers of a camera's triggers, given before anything can be dropped, so that every loss shows. A new spool "
        "begins a new epoch.",
        ("Capture", "CameraHeartbeat", "CameraProgress"),
    ),
    "heartbeat": Word(
        "The last sequence that a camera gave, so that a lost tail shows, how wrong its node's clock is, and what was "
        "wrong with the camera.",
        ("CameraHeartbeat", "captures"),
    ),
    "inspection": Word(
        "What network and trust say of one frame: verdict, scores, suspicion, reasons, small maps.",
        ("Inspection", "inspections"),
    ),
    "verdict": Word("What the machine says of one frame.", ("Verdict", "Inspection")),
    "suspicion": Word(
        "How likely an OK is a miss, as a score without unit; at or above the threshold the OK is doubtful. A score, "
        "no probability: only a qualification promises a rate.",
        ("Inspection", "Recipe"),
    ),
    "trust": Word(
        "How far an OK can be believed, the complement of suspicion; also the part that computes it.", ("Inspection",)
    ),
    "ingredients": Word("The named numbers that suspicion is made of.", ("Inspection",)),
    "maps": Word(
        "Mask and heatmaps of a frame as 8 bit grey PNGs: where the defect is, and where network and trust look.",
        ("Inspection", "Evidence"),
    ),
    "bundle": Word(
        "A trained network with its calibration and provenance: one folder, named by the digest of its files.",
        ("Stage", "Recipe", "Inspection"),
    ),
    "card": Word(
        "The bundle's own description, `card.json`: what it was trained on, thresholds, trust and its scale.",
        ("Stage",),
    ),
    # Where a visit goes.
    "decide-by": Word(
        "The deadline of a visit, before the gate, in the broker's time. Late or missing diverts, never passes.",
        ("Capture", "Disposition", "Recipe"),
    ),
    "routing": Word(
        "Where a visit goes, the worst of its views; a view that is missing at decide-by diverts.",
        ("Routing", "Disposition"),
    ),
    "trusted pass": Word(
        "A visit that goes onward on the machine's word alone: every view OK, trusted, in time, and nothing speaks "
        "against it.",
        ("Routing", "Disposition"),
    ),
    "diverted": Word(
        "A visit withheld for a person, with its causes; only low trust and audit count in `diversion_rate_of_passes`.",
        ("Routing", "Cause", "reinspections"),
    ),
    "contradiction": Word(
        "What two records say differently of one visit. It diverts, with both values in the reasons.",
        ("VisitSnapshot",),
    ),
    "disposition": Word(
        "What becomes of a visit: visit, revision, routing, outcome or none, final or not.",
        ("Disposition", "dispositions", "Outcome"),
    ),
    "alarm": Word(
        "Something that somebody has to act on, for a line, a kind and what it is about: raised, acknowledged, over, "
        "at times shelved until a stated time. Several that follow from one cause stand under it.",
        ("Alarm", "AlarmEvent", "alarms", "AlarmStage"),
    ),
    "alarm flood": Word(
        "More alarms in ten minutes than anybody can act on; what another alarm explains is not counted."
    ),
    "cavity": Word(
        "Of a mould, or the nest of a tool or carrier, in which a part was made, as the line's control says.",
        ("Capture", "Disposition"),
    ),
    "revision": Word(
        "The number of a disposition of one visit. 0 exists once, carries the routing and alone moves the gate; later "
        "ones carry outcomes or alarms.",
        ("Disposition",),
    ),
    "outcome": Word("What becomes of a diverted or rejected part in the end.", ("Outcome", "Disposition", "Decision")),
    "hold": Word(
        "Of a visit: a state, no outcome; nobody has decided yet. Of a lot: nothing of it is deleted from an archive."
    ),
    "gate": Word(
        "What lets a part go or not. Silence means no: it opens only on a positive permission with visit and expiry.",
        ("Actuation", "actuations"),
    ),
    "output": Word(
        "Where the plant is told what was decided: a PLC, a message broker, a file. One process acts for it at a time.",
        ("OutputState", "outputs"),
    ),
    # People.
    "slot": Word(
        "One request for one person's judgement of a visit: visit, round and generation.",
        ("SlotOpen", "SlotClose", "reinspections"),
    ),
    "round": Word("Which of the recipe's required reviews a slot belongs to, from 0.", ("SlotOpen",)),
    "generation": Word(
        "The attempt within a round: a refused, undone or escalated judgement closes one and opens the next.",
        ("SlotOpen", "CloseReason"),
    ),
    "queue": Word(
        "The slots that wait, in Redis: a view of `reinspections`, which comes back from the topic when it is lost.",
        ("reinspections", "queue-events"),
    ),
    "claim, lease": Word(
        "Who takes a slot has it for a stated time, the lease, under a token. A lease that is over offers it again.",
        ("QueueEvent", "queue-events"),
    ),
    "decision": Word(
        "One act of one person on one slot: who, when, which frames were covered, what was on the screen.",
        ("Decision", "decisions", "Act", "Judgement"),
    ),
    "blind": Word(
        "Judged on plain pictures first, before anything is told of what the machine thinks.", ("Decision",)
    ),
    "evidence": Word(
        "Picture, mask and heatmaps of a requested visit, kept until a set time after its final disposition, whatever "
        "the retention of `frames`.",
        ("Evidence", "evidence"),
    ),
    "concession": Word("The numbered permission of quality to use a defective part as it is.", ("Outcome", "Decision")),
    "audit": Word(
        "Of a visit: a pass drawn by chance for a person. Of the log: the proof that ids balance and records are "
        "unchanged.",
        ("Cause", "Balance", "balances"),
    ),
    "known-bad": Word(
        "A picture of a known defect slipped into the station's queue to measure people; always withheld.",
        ("Cause", "Capture"),
    ),
    # What can go wrong, and how it is measured.
    "miss": Word("A defective part that the machine passed; an escape only if nobody catches it."),
    "escape": Word("A part found defective after it had left as good.", ("Escape", "escapes")),
    "overkill": Word("A good part called NG, a false alarm. Rates of it are of good parts."),
    "dead letter": Word(
        "A record that could not be handled, whole up to a cap, with its cause.", ("DeadLetter", "dead-letters")
    ),
    "balance": Word(
        "Conservation as sets of ids: every captured view inspected or lost with a cause, every visit routed once. "
        "Closed by periods.",
        ("Balance", "balances"),
    ),
    "chain head": Word(
        "The notary's signed digest over one partition's records, each following on the one before; shows what was "
        "changed.",
        ("ChainHead", "chain-heads"),
    ),
    "anchor": Word("A chain head noted outside Kafka; shows what was changed by whoever has the notary's key."),
    "qualification": Word(
        "The printed, expiring bound on trusted passes among defects, of one bundle on one product."
    ),
    "promotion": Word(
        "The act that raises a bundle's stage on stated evidence; it makes another bundle of the same content.",
        ("Stage",),
    ),
    "replay": Word(
        "A recorded range inspected again by the same code, in a namespace of its own; never live.", ("frames",)
    ),
    "shadow": Word(
        "A candidate bundle that judges live frames beside the line, in a namespace of its own.", ("Stage", "frames")
    ),
    "containment list": Word("Parts that passed and would not pass under a new bundle or recipe.", ("dispositions",)),
    "changeover": Word(
        "The act that brings a line from one recipe to another: requested, acknowledged, cleared, checked, released.",
        ("Changeover", "ChangeoverStage", "line-acts"),
    ),
    "lock": Word(
        "Nothing passes on trust while it stands, whatever the state of the line; a lead who has signed in lifts it.",
        ("LockCause", "line-state"),
    ),
    "bypass": Word(
        "The plant lets parts past the inspection by its own key; recorded with a person, a reason and an end.",
        ("LineMode", "line-state"),
    ),
    "check": Word(
        "Master parts are run, and have to get their verdict in every view.", ("CheckOutcome", "line-acts")
    ),
    "master part, limit sample": Word(
        "A part with a known answer; the worst acceptable or least unacceptable example, with approver and expiry."
    ),
}  # fmt: skip
"""Words by name. A rate carries its denominator in its own name (`miss_rate_of_defects`), so rates stand not here."""


def glossary_page(banner: str) -> str:
    """The page of words and enums in Markdown; `banner` says where it comes from.

    Raises:
        ValueError: where a word is used in something that does not exist, or a value of an enum has no meaning.
    """
    enums = {
        name: kind
        for name, kind in (vars(vocabulary) | vars(alarm_vocabulary)).items()
        if isinstance(kind, type) and issubclass(kind, StrEnum) and kind is not StrEnum
    }
    schema = "../schemas/jsonschema"
    places = (
        dict.fromkeys(CATALOGUE, "topics.md")
        | {message.__name__: f"{schema}/{message.TYPE}.json" for message in MESSAGES}
        | {FrameMetadata.__name__: f"{schema}/{FRAME_TYPE}.json"}
        | {name: f"#{name.lower()}" for name in enums}
    )
    rows = "\n".join(
        f"| {name} | {word.meaning} | {', '.join(_place(one, places, name) for one in word.used_in)} |"
        for name, word in sorted(WORDS.items())
    )
    sections = "\n\n".join(_section(kind) for _, kind in sorted(enums.items()))
    return (
        f"# Glossary\n\n{banner}\n\n| word | meaning | used in |\n|---|---|---|\n{rows}\n\n"
        f"## Values\n\nA value never changes its meaning; new ones may be added.\n\n{sections}\n"
    )


def meanings(kind: type[StrEnum]) -> dict[str, str]:
    """What each value of an enum means: the text under it in the source; raises ValueError where one has none."""
    [body] = [node.body for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef)]
    found = {}
    for node, following in pairwise(body):
        match node, following:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = text
    silent = [one.name for one in kind if one.name not in found]
    if silent:
        raise ValueError(f"{kind.__name__} does not say what {', '.join(silent)} means")
    return {one.value: found[one.name] for one in kind}


def _place(name: str, places: Mapping[str, str], word: str) -> str:
    if name not in places:
        raise ValueError(f"{word!r} is used in {name!r}, which is no topic, message or enum")
    return f"[`{name}`]({places[name]})"


def _section(kind: type[StrEnum]) -> str:
    rows = "\n".join(f"| `{value}` | {meaning} |" for value, meaning in meanings(kind).items())
    return f"### {kind.__name__}\n\n{inspect.cleandoc(kind.__doc__ or '')}\n\n| value | meaning |\n|---|---|\n{rows}"
