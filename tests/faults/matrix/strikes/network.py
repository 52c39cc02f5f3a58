"""The network between services and brokers, and between services and Redis."""

from __future__ import annotations

from random import Random

from tests.faults.matrix.bed import Bed, NotShown
from tests.faults.matrix.strikes import Seen
from tests.support.tcp_proxy import TcpProxy


def latency(bed: Bed, rng: Random) -> Seen:
    """Everything takes 50 to 400 ms more, each way, for some seconds."""
    delay_s = rng.uniform(0.05, 0.4)
    proxies = _struck(bed, rng)
    before = _seen(proxies, "delayed")
    for proxy in proxies.values():
        proxy.delay(delay_s)
    bed.hold(4.0)
    _heal(bed)
    return {"ms more each way": round(delay_s * 1000), **_shown(proxies, "delayed", before)}


def reset(bed: Bed, rng: Random) -> Seen:
    """Every connection is reset, three times within two seconds."""
    proxies = _struck(bed, rng)
    before = _seen(proxies, "reset")
    for _ in range(3):
        for proxy in proxies.values():
            proxy.reset()
        bed.hold(rng.uniform(0.1, 1.0))
    return _shown(proxies, "reset", before)


def half_open(bed: Bed, rng: Random) -> Seen:
    """Connections stay open and carry nothing any more, ever; for some seconds new ones neither."""
    proxies = _struck(bed, rng)
    before = _seen(proxies, "swallowed")
    frozen = {name: proxy.freeze() for name, proxy in proxies.items()}
    bed.hold(rng.uniform(1.0, 4.0))
    _heal(bed)
    return {"frozen": frozen, **_shown(proxies, "swallowed", before)}


def one_way(bed: Bed, rng: Random) -> Seen:
    """What is asked arrives and is done; for some seconds no answer comes back. Then the connections are reset."""
    proxies = _struck(bed, rng)
    before = _seen(proxies, "swallowed")
    for proxy in proxies.values():
        proxy.mute()
    bed.hold(rng.uniform(1.0, 7.0))
    _heal(bed)
    return _shown(proxies, "swallowed", before)


def _struck(bed: Bed, rng: Random) -> dict[str, TcpProxy]:
    """Brokers always, and half of the time Redis too."""
    with_redis = rng.random() < 0.5
    return {name: proxy for name, proxy in bed.proxies.items() if name != "redis" or with_redis}


def _heal(bed: Bed) -> None:
    for proxy in bed.proxies.values():
        proxy.heal()


def _seen(proxies: dict[str, TcpProxy], what: str) -> dict[str, int]:
    return {name: proxy.seen[what] for name, proxy in proxies.items()}


def _shown(proxies: dict[str, TcpProxy], what: str, before: dict[str, int]) -> Seen:
    """How often each did it; raises NotShown where one did not at all."""
    told = {name: proxy.seen[what] - before[name] for name, proxy in proxies.items()}
    if not all(told.values()):
        raise NotShown(f"{what}: {told}")
    return {what: told}
