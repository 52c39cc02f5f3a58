"""From data sets to a bundle: train, calibrate, set thresholds, choose golden pictures."""

from linewarden_train.data.groups import Joined, check_apart
from linewarden_train.data.samples import Samples
from linewarden_train.training.calibration import fit_trust
from linewarden_train.training.card import card_of, fitted_on, mask_limits, source_of, thresholds_of
from linewarden_train.training.choosing import choose
from linewarden_train.training.crossfit import split_folds
from linewarden_train.training.golden import choose_golden, lacking
from linewarden_train.training.inputs import picture_spec
from linewarden_train.training.network import score, score_held_out, train_network
from linewarden_train.training.terms import NamedSamples, Surroundings, Taught, TeachingSets, TeachSettings
from linewarden_vision.golden import Golden
from linewarden_vision.inspector import Inspector
from linewarden_vision.trained_groups import TrainedGroups
from linewarden_vision.trust.normaliser import FEWEST_GOOD


def teach(sets: TeachingSets, settings: TeachSettings, around: Surroundings) -> Taught:
    """Teach one bundle; the random state of torch is set from the training seed.

    Raises ValueError when the teaching set shares a group with another or lacks good or defective pictures.
    """
    for other in (sets.calibration, sets.thresholds, sets.golden):
        check_apart(sets.teaching.samples, other.samples)
    _check_kinds(sets, settings)
    _check_annotated(sets.teaching if settings.folds else sets.calibration)
    spec = picture_spec(sets.teaching.samples, settings.inputs)
    held_out = score_held_out(sets.teaching.samples, spec, settings, around)
    network = train_network(sets.teaching.samples, spec, settings, around)
    calibrated = score(network, spec, sets.calibration.samples, settings, around.on_progress, "calibrating")
    source = source_of(settings, sets.teaching if held_out else sets.calibration, fitted_on(settings))
    choice = choose(held_out, settings.trust, overkill=settings.overkill, diverted=settings.diverted)
    trust = fit_trust(calibrated, choice.recipe, source, held_out)
    same = sets.thresholds is sets.calibration
    limits = (
        calibrated
        if same
        else score(network, spec, sets.thresholds.samples, settings, around.on_progress, "setting thresholds")
    )
    mask = mask_limits(held_out or [calibrated], settings, sets.teaching if held_out else sets.calibration)
    thresholds = thresholds_of(settings, sets.thresholds, limits, trust, mask)
    card = card_of(settings, spec, trust, thresholds, held_out or [calibrated])
    seen = [sets.teaching, sets.calibration, sets.thresholds]
    made_by = TrainedGroups.of(_used_groups(seen, goods_only=bool(held_out)))
    golden = _golden(Inspector(card, network), sets)
    notes = [f"suspicion: {choice}", *(f"the golden set holds no {kind}" for kind in lacking(golden))]
    card = card.model_copy(update={"notes": notes})
    return Taught(card, network, golden, made_by.to_files(), held_out)


def _check_kinds(sets: TeachingSets, settings: TeachSettings) -> None:
    """Refuse a side without good or defective pictures, and folds that would leave one, before the first step."""
    _check_side(sets.teaching.name, sets.teaching.samples, 1, 1)
    _check_side(sets.calibration.name, sets.calibration.samples, FEWEST_GOOD, 0 if settings.folds else 1)
    _check_side(sets.thresholds.name, sets.thresholds.samples, 1, 0)
    for rest, held in split_folds(sets.teaching.samples, settings.folds, settings.train.seed) if settings.folds else ():
        _check_side(f"what a fold of {sets.teaching.name} leaves", rest, 1, 1)
        _check_side(f"a fold of {sets.teaching.name}", held, FEWEST_GOOD, 1)


def _check_side(name: str, samples: Samples, fewest_good: int, fewest_bad: int) -> None:
    tainted = {label.judged for label in samples.labels if label.defective}
    good = sum(label.judged not in tainted for label in samples.labels)
    bad = sum(label.defective for label in samples.labels)
    if good < fewest_good or bad < fewest_bad:
        raise ValueError(
            f"{name} holds {good} good and {bad} defective pictures; {fewest_good} and {fewest_bad} are needed: "
            "give more, other sides, or --folds 0"
        )


def _check_annotated(named: NamedSamples) -> None:
    """Refuse a set without any mask before hours are spent on it."""
    samples = named.samples
    bad = [index for index, label in enumerate(samples.labels) if label.defective]
    if all(samples[index].mask is None for index in bad):
        raise ValueError(f"no defective picture of {named.name} has a mask; linewarden teach needs none")


def _golden(inspector: Inspector, sets: TeachingSets) -> Golden:
    """Choose from the golden set, or else from it and the teaching set: golden pictures prove equality, not quality."""
    try:
        return choose_golden(inspector, sets.golden.samples)
    except ValueError:
        return choose_golden(inspector, Joined([sets.golden.samples, sets.teaching.samples]), complete=False)


def _used_groups(sets: list[NamedSamples], *, goods_only: bool) -> list[str]:
    """List the groups that decide anything.

    Where training groups gave the logistic, calibration's groups without a good part don't: normalisers and
    thresholds leave them out as a whole.
    """
    teaching, *others = sets
    used = [label.group for label in teaching.samples.labels]
    for named in others:
        tainted = {label.judged for label in named.samples.labels if label.defective}
        used += [label.group for label in named.samples.labels if not (goods_only and label.judged in tainted)]
    return used
