"""What a second look asks: the scores after the enhancement, and what the network says of the picture turned.

A part's defect is where it is whichever way the picture lies, and a network's blind spot often is not: averaging the
margin over the picture and its half turn is the smallest test-time augmentation (Ayhan and Berens 2018), one more
pass. A half turn keeps the picture's shape, so that both go through one batch of any size.
"""

from collections.abc import Mapping
from functools import cached_property, partial

import torch
from torch import Tensor

from linewarden_vision.network.interface import SteppedNetwork
from linewarden_vision.trust.agreement import AGNOSTIC, MEASURES, Measure
from linewarden_vision.trust.enhancement import Enhancement, Response, Source, enhance
from linewarden_vision.trust.maps import ActivationMaps, AgnosticVariant, make_maps
from linewarden_vision.trust.scores import SecondScore


class SecondPass:
    """What a score of a second look may ask of one batch; what none asks for is not run, and nothing runs twice.

    ``before`` is the plain pass of the same pictures. Raises ValueError for a network in train mode.
    """

    def __init__(self, network: SteppedNetwork, source: Source, before: Response, enhancement: Enhancement) -> None:
        if network.training:
            raise ValueError("a second look needs the network in eval mode: call network.eval() first")
        self.network, self.source, self.before, self.enhancement = network, source, before, enhancement

    @cached_property
    def after(self) -> Response:
        """The response after the enhancement."""
        return enhance(self.network, self.source, self.enhancement, self.before)

    @cached_property
    def maps_before(self) -> ActivationMaps:
        """Activation maps of the plain pass."""
        return make_maps(self.before.cells, self.before.tap)

    @cached_property
    def maps_after(self) -> ActivationMaps:
        """Activation maps after the enhancement."""
        return make_maps(self.after.cells, self.after.tap)


def turned_margin(network: SteppedNetwork, pictures: Tensor, margin: Tensor) -> Tensor:
    """Average the margins (B,) of pictures (B, C, H, W) with those of the same pictures turned by half, float32.

    Raises ValueError for a network in train mode, whose batch norm would mix pictures.
    """
    if network.training:
        raise ValueError("a second look needs the network in eval mode: call network.eval() first")
    with torch.no_grad():
        turned = network.classify(network.fuse(network.encode(pictures.flip((2, 3)))))
    return (margin.float() + turned.margin.float()) / 2


def _enhanced(again: SecondPass, *, measure: Measure, variant: AgnosticVariant) -> Tensor:
    return measure(again.maps_after.against(variant, again.after.tap))


def _gain(again: SecondPass, *, measure: Measure, variant: AgnosticVariant) -> Tensor:
    plain = measure(again.maps_before.against(variant, again.before.tap))
    return _enhanced(again, measure=measure, variant=variant) - plain


_WORDS: Mapping[str, Mapping[str, str]] = {
    "agreement_enhanced": {
        "en": "the evidence for a defect stood out once it was enhanced",
        "de": "die Hinweise auf einen Fehler traten verstärkt deutlich hervor",
    },
    "agreement_gain": {
        "en": "the evidence for a defect grew when it was enhanced",
        "de": "die Hinweise auf einen Fehler wuchsen bei Verstärkung",
    },
    "agreement_soft_enhanced": {
        "en": "the evidence for a defect spread over where it responds once it was enhanced",
        "de": "die Hinweise auf einen Fehler breiteten sich verstärkt dorthin aus, wo es reagiert",
    },
    "agreement_soft_gain": {
        "en": "the evidence for a defect spread when it was enhanced",
        "de": "die Hinweise auf einen Fehler breiteten sich bei Verstärkung aus",
    },
    "agreement_plain_soft_enhanced": {
        "en": "the evidence for a defect was strong once it was enhanced",
        "de": "die Hinweise auf einen Fehler waren verstärkt stark",
    },
    "agreement_plain_soft_gain": {
        "en": "the evidence for a defect became stronger when it was enhanced",
        "de": "die Hinweise auf einen Fehler wurden bei Verstärkung stärker",
    },
    "normal_disagreement_enhanced": {
        "en": "once enhanced, the evidence for a good part lay elsewhere than where it responds",
        "de": "verstärkt lagen die Hinweise auf ein Gutteil anderswo als dort, wo es reagiert",
    },
    "normal_disagreement_gain": {
        "en": "the evidence for a good part moved away from where it responds when it was enhanced",
        "de": "die Hinweise auf ein Gutteil rückten bei Verstärkung weg von dort, wo es reagiert",
    },
}
SCORES = (
    *(
        SecondScore(
            measure + suffix + when, _WORDS[measure + when], partial(ask, measure=MEASURES[measure], variant=variant)
        )
        for measure in MEASURES
        for suffix, variant in AGNOSTIC.items()
        for when, ask in (("_enhanced", _enhanced), ("_gain", _gain))
    ),
    SecondScore(
        "margin_enhanced",
        {"en": "a small push was enough to make it doubt", "de": "ein kleiner Anstoß genügte, und es zweifelte"},
        lambda again: again.after.margin.float(),
    ),
    SecondScore(
        "margin_gain",
        {
            "en": "a small push moved it farther than it moves good parts",
            "de": "ein kleiner Anstoß bewegte es weiter als bei Gutteilen",
        },
        lambda again: again.after.margin.float() - again.before.margin.float(),
    ),
    SecondScore(
        "margin_turned",
        {
            "en": "it was less sure of the picture and its half turn together than with good parts",
            "de": "es war sich beim Bild und seiner halben Drehung zusammen weniger sicher als bei guten Teilen",
        },
        lambda again: turned_margin(again.network, again.source.pictures, again.before.margin),
    ),
)
