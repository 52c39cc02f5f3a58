"""Trust scores by name: those of this package, and those that other distributions offer.

A distribution offers one by an entry point of the group ``linewarden.trust_scores``, whose name is the score's and
whose object is a ``TrustScore`` or a ``SecondScore``. Only the one that is asked for is imported.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint
from types import MappingProxyType

from linewarden_domain.plugins import Unloadable, loaded, offered
from linewarden_vision.errors import TrustScoreError
from linewarden_vision.trust import agreement, evidence, novelty, second_look
from linewarden_vision.trust.scores import SecondScore, TrustScore

GROUP = "linewarden.trust_scores"
ONE_PASS: tuple[TrustScore, ...] = (*agreement.SCORES, *evidence.SCORES, *novelty.SCORES)
"""Built-in scores of one pass."""
_BUILT_IN: Mapping[str, TrustScore | SecondScore] = {
    **{score.name: score for score in ONE_PASS},
    **{score.name: score for score in second_look.SCORES},
}
CHEAP_NAMES: tuple[str, ...] = tuple(score.name for score in ONE_PASS if "novelty" not in score.needs)
"""Built-in scores of one pass that every network has; novelty needs a bank of good patches besides."""
SECOND_NAMES: tuple[str, ...] = tuple(score.name for score in second_look.SCORES)
"""Built-in scores of a second look."""


@cache
def find(name: str) -> TrustScore | SecondScore:
    """Return the score of that name.

    Raises TrustScoreError for a name that nobody registered, for one that two claim, and for a distribution whose
    score cannot be imported or is none.
    """
    offers = _offered().get(name, ())
    if name in _BUILT_IN:
        if offers:
            raise TrustScoreError(f"{_names_of(offers)} claims trust score {name}, which linewarden has: rename it")
        return _BUILT_IN[name]
    if not offers:
        known = ", ".join(sorted({*_BUILT_IN, *_offered()}))
        raise TrustScoreError(
            f"no trust score {name!r} is installed; a distribution that offers it (entry point {GROUP}) may be "
            f"missing. Known are {known}"
        )
    if len(offers) > 1:
        raise TrustScoreError(f"{_names_of(offers)} both claim trust score {name}: uninstall one")
    return _loaded(offers[0])


def find_cheap(name: str) -> TrustScore:
    """Return the score of one pass of that name; raises TrustScoreError as ``find``, and for a second look's."""
    score = find(name)
    if not isinstance(score, TrustScore):
        raise TrustScoreError(f"trust score {name} is one of a second look, not of one pass")
    return score


def find_second(name: str) -> SecondScore:
    """Return the score of a second look of that name; raises TrustScoreError as ``find``, and for one of one pass."""
    score = find(name)
    if not isinstance(score, SecondScore):
        raise TrustScoreError(f"trust score {name} is one of one pass, not of a second look")
    return score


def is_built_in(name: str) -> bool:
    """Tell whether the score is this package's own."""
    return name in _BUILT_IN


def origin(name: str) -> str:
    """Name the distribution that offers a score, for messages."""
    return "linewarden" if name in _BUILT_IN else _names_of(_offered().get(name, ()))


def words_of(name: str, language: str = "en") -> str:
    """Say what a score found, in English where it has no words in that language; of an unknown one, the unusual."""
    try:
        words = find(name).words
    except TrustScoreError:
        words = {
            "en": "its evidence is unusual for a good part",
            "de": "die Hinweise sind ungewöhnlich für ein Gutteil",
        }
    return words.get(language, words["en"])


@cache
def _offered() -> Mapping[str, tuple[EntryPoint, ...]]:
    """What is installed, by name; nothing is imported for it."""
    return MappingProxyType(offered(GROUP))


def _loaded(offer: EntryPoint) -> TrustScore | SecondScore:
    whose = f"trust score {offer.name} of {_names_of([offer])}"
    try:
        score = loaded(offer)
    except Unloadable as error:
        raise TrustScoreError(f"{whose} cannot be imported ({offer.value}): {error.__cause__!r}") from error
    if not isinstance(score, TrustScore | SecondScore):
        raise TrustScoreError(f"{whose} is a {type(score).__name__}, neither a TrustScore nor a SecondScore")
    if score.name != offer.name:
        raise TrustScoreError(f"{whose} calls itself {score.name}: give its entry point the same name")
    return score


def _names_of(offers: tuple[EntryPoint, ...] | list[EntryPoint]) -> str:
    return " and ".join(sorted(offer.dist.name if offer.dist else offer.value for offer in offers)) or "nobody"
