"""Every ingredient of suspicion, asked beside the rivals: all of them look at one pass of the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from linewarden_train.rivals.interface import Look
from linewarden_train.training.scoring import with_built_in
from linewarden_vision.trust.enhancement import Enhancement, Source
from linewarden_vision.trust.ingredients import named_ingredients
from linewarden_vision.trust.maps import make_maps


@dataclass(frozen=True, slots=True)
class EveryIngredient:
    """The built-in ones, those that the bundle does not use included, and ``also`` by name."""

    enhancement: Enhancement
    also: Sequence[str] = ()

    def __call__(self, look: Look) -> Mapping[str, Tensor]:
        """Return each under its name."""
        output = look.output
        source = Source(look.pictures, output.pyramid, 1 / look.std)
        maps = make_maps(output.cells, output.tap)
        names = with_built_in(self.also)
        values = named_ingredients(look.network, source, output, maps, names, self.enhancement)
        return dict(zip(names, values.unbind(1), strict=True))
