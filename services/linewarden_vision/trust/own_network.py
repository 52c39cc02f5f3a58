"""The trust scores on a network of one's own: how suspicious each of its answers is, by score.

>>> import torch
>>> cells = torch.tensor([[[0.9, 0.1], [0.0, -0.2]], [[-0.9, -0.1], [0.0, 0.2]]])
>>> tap = torch.tensor([[[[3.0, 0.2], [0.1, 0.1]]], [[[3.0, 0.2], [0.1, 0.1]]]])
>>> trust_scores_of_maps(cells, tap, ["agreement", "cell_peak"])["agreement"]
tensor([ 1., -1.])
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from linewarden_vision.network.interface import NetworkOutput, SteppedNetwork
from linewarden_vision.trust.enhancement import REFERENCE, Source
from linewarden_vision.trust.ingredients import cheap_ingredients, named_ingredients
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.registry import ONE_PASS, find, find_cheap
from linewarden_vision.trust.scores import SecondScore


def trust_scores(network: nn.Module, pictures: Tensor, names: Sequence[str] | None = None) -> dict[str, Tensor]:
    """Show a network its pictures (B, C, H, W) and return each named trust score (B,), float32, high is suspicious.

    The network is in eval mode and returns a ``NetworkOutput``. Without ``names``: every built-in score of one pass
    that its output has the parts for. A score of a second look, such as ``margin_turned``, is computed where it is
    named, for all pictures; the network then is a ``SteppedNetwork`` besides. What is not finite is not a number.
    Raises TypeError for a network that returns something else, ValueError for one in train mode or without those
    steps, TrustScoreError for a name that is none.
    """
    if network.training:
        raise ValueError("trust scores need the network in eval mode: call network.eval() first")
    with torch.no_grad():
        output = network(pictures)
        if not isinstance(output, NetworkOutput):
            raise TypeError(
                f"the network returns a {type(output).__name__}: let it return a NetworkOutput, or give its maps to "
                "trust_scores_of_maps"
            )
        able = [score.name for score in ONE_PASS if "novelty" not in score.needs or output.novelty is not None]
        asked = able if names is None else list(names)
        again = [name for name in asked if isinstance(find(name), SecondScore)]
        maps = make_maps(output.cells, output.tap)
        if not again:
            table = cheap_ingredients(output, maps, asked)
        elif isinstance(network, SteppedNetwork):
            table = named_ingredients(network, Source(pictures, output.pyramid), output, maps, asked, REFERENCE)
        else:
            raise ValueError(f"{again[0]} takes a second look: the network needs encode, fuse and classify")
    return dict(zip(asked, table.unbind(1), strict=True))


def trust_scores_of_maps(
    cells: Tensor,
    tap: Tensor,
    names: Sequence[str] | None = None,
    *,
    margin: Tensor | None = None,
    mask_logits: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return each named trust score (B,), float32, high is suspicious, of what a network made of B pictures.

    ``tap`` (B, C, h, w) is the map that its linear head sees, ``cells`` (B, h, w) the head's answer in each place,
    without bias: the class map of "defect" less that of "good". ``margin`` (B,) and ``mask_logits`` (B, H', W') are
    for the scores that need them. Without ``names``: every built-in score of one pass that these suffice for. What is
    not finite is not a number. Raises ValueError for shapes that do not fit and for a score that needs more,
    TrustScoreError for a name that is none.
    """
    if cells.ndim != 3 or tap.ndim != 4 or cells.shape != (tap.shape[0], *tap.shape[2:]):
        raise ValueError(f"cells are (B, h, w) and tap (B, C, h, w), not {tuple(cells.shape)} and {tuple(tap.shape)}")
    given = {"margin": margin, "mask_logits": mask_logits}
    has = {name for name, part in given.items() if part is not None}
    if names is None:
        names = [score.name for score in ONE_PASS if has.issuperset(score.needs)]
    for name in names:
        lacking = set(find_cheap(name).needs) - has
        if lacking:
            raise ValueError(f"trust score {name} needs {' and '.join(sorted(lacking))}, which is not given")
    unknown = cells.new_full((len(cells), 1, 1), torch.nan)
    output = NetworkOutput(
        margin=unknown[:, 0, 0] if margin is None else margin,
        cells=cells,
        tap=tap,
        mask_logits=unknown if mask_logits is None else mask_logits,
        pyramid={},
    )
    with torch.no_grad():
        table = cheap_ingredients(output, make_maps(cells, tap), names)
    return dict(zip(names, table.unbind(1), strict=True))
