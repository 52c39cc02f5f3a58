"""Every ingredient of suspicion, asked beside the rivals: all of them look at one pass of the network."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from linewarden_train.rivals.interface import Look
from linewarden_train.training.scoring import INGREDIENTS, all_ingredients
from linewarden_vision.trust.enhancement import Enhancement, Source
from linewarden_vision.trust.maps import make_maps


@dataclass(frozen=True, slots=True)
class EveryIngredient:
    """Those that the bundle does not use included."""

    enhancement: Enhancement

    def __call__(self, look: Look) -> Mapping[str, Tensor]:
        """Return each under its name."""
        output = look.output
        source = Source(look.pictures, output.pyramid, 1 / look.std)
        maps = make_maps(output.cells, output.tap)
        values = all_ingredients(look.network, source, output, maps, self.enhancement)
        return dict(zip(INGREDIENTS, values.unbind(1), strict=True))
