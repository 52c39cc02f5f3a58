"""A simulated Redis: the queue's own Lua scripts run here unchanged, on the history's time, and keys can be lost.

Only the commands that the project uses exist; another one is an error that names it. `tests/simulation/test_redis.py`
holds it against a real server.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

import redis
from lupa.lua51 import LuaError, LuaRuntime

Value = bytes | dict[bytes, bytes] | dict[bytes, float] | set[bytes] | list[tuple[bytes, list[bytes]]]


class SimulatedRedis:
    """The server. `now_ms` is its clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.keys: dict[bytes, Any] = {}
        self.expires: dict[bytes, int] = {}
        self._serial = 0

    def copy(self) -> tuple[dict[bytes, Any], dict[bytes, int]]:
        """Everything that it holds, as a replica would."""
        return copy.deepcopy(self.keys), dict(self.expires)

    def restore(self, state: tuple[dict[bytes, Any], dict[bytes, int]]) -> None:
        """Become that copy."""
        self.keys, self.expires = copy.deepcopy(state[0]), dict(state[1])

    def lose(self, key: bytes) -> None:
        """Lose one key."""
        self.keys.pop(key, None)
        self.expires.pop(key, None)

    def script(self, source: str, keys: Sequence[str], args: Sequence[object]) -> Any:
        """Run a script to its end. Raises redis.ResponseError for an answer `{err = ...}`."""
        return _interpreter().run(self, source, [_bytes(key) for key in keys], [_bytes(one) for one in args])

    def call(self, name: str, *arguments: object) -> Any:
        """Run one command. A missing value is None."""
        command = _COMMANDS.get(name.upper())
        if command is None:
            raise NotImplementedError(f"the simulated Redis does not know {name}; add it to tests/simulation/redis.py")
        return command(self, *(_bytes(one) for one in arguments))

    def get(self, key: bytes, default: Callable[[], Any]) -> Any:
        """The value of a key, an empty one where it is missing or has expired."""
        due = self.expires.get(key)
        if due is not None and due <= self.now_ms():
            self.lose(key)
        value = self.keys.get(key)
        return default() if value is None else value

    def put(self, key: bytes, value: Value) -> None:
        """Set a key; an empty collection is no key."""
        if value or isinstance(value, bytes):
            self.keys[key] = value
        else:
            self.lose(key)

    def next_id(self) -> bytes:
        """The id of a new entry of a stream."""
        self._serial += 1
        return b"%d-%d" % (self.now_ms(), self._serial)


class _Interpreter:
    """One for all servers of a process: scripts keep nothing between calls. Its functions live as long as it does."""

    def __init__(self) -> None:
        self._lua = LuaRuntime(encoding=None)
        self._server: SimulatedRedis | None = None
        self._scripts: dict[str, Any] = {}
        self._functions = (self._call, self._encode, self._decode)
        make = self._lua.execute(
            "return function(call, encode, decode)\n"
            "redis = { call = call }\ncjson = { encode = encode, decode = decode }\nend"
        )
        make(*self._functions)

    def run(self, server: SimulatedRedis, source: str, keys: list[bytes], args: list[bytes]) -> Any:
        function = self._scripts.get(source)
        if function is None:
            function = self._scripts[source] = self._lua.execute(f"return function(KEYS, ARGV)\n{source}\nend")
        self._server = server
        try:
            answer = function(self._lua.table_from(keys), self._lua.table_from(args))
        except LuaError as error:
            raise redis.ResponseError(f"user_script: {error}") from error
        return _from_lua(answer)

    def _call(self, name: bytes, *arguments: object) -> object:
        if self._server is None:
            raise RuntimeError("no script runs")
        answer = self._server.call(name.decode(), *arguments)
        return self._to_lua({"ok": answer} if name.upper() in _STATUS else answer)

    def _encode(self, value: object) -> bytes:
        return json.dumps(_plain(value), separators=(",", ":")).encode()

    def _decode(self, raw: bytes) -> object:
        return self._to_lua(json.loads(raw))

    def _to_lua(self, value: object) -> object:
        if value is None:
            return False
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, list):
            return self._lua.table_from([self._to_lua(one) for one in value])
        if isinstance(value, dict):
            return self._lua.table_from({key.encode(): self._to_lua(one) for key, one in value.items()})
        return value


_STATUS = (b"SET", b"TYPE")
"""Commands whose answer is a status, which scripts see as a table."""


@lru_cache(maxsize=1)
def _interpreter() -> _Interpreter:
    return _Interpreter()


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, float):
        return b"%d" % int(value) if value.is_integer() else repr(value).encode()
    return str(value).encode()


def _from_lua(value: Any) -> Any:
    if value is None or value is False:
        return None
    if value is True:
        return 1
    if isinstance(value, bytes | int):
        return value
    if isinstance(value, float):
        return int(value)
    error = value[b"err"]
    if error is not None:
        raise redis.ResponseError(error.decode())
    found: list[Any] = []
    while (one := value[len(found) + 1]) is not None:
        found.append(_from_lua(one))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    items = dict(value.items())
    if items and all(isinstance(key, int) for key in items):
        return [_plain(items[place + 1]) for place in range(len(items))]
    return {key.decode() if isinstance(key, bytes) else str(key): _plain(one) for key, one in items.items()}


_COMMANDS: dict[str, Callable[..., Any]] = {}


def _command(function: Callable[..., Any]) -> Callable[..., Any]:
    _COMMANDS[function.__name__.strip("_").upper()] = function
    return function


@_command
def _time(server: SimulatedRedis) -> list[bytes]:
    now = server.now_ms()
    return [b"%d" % (now // 1000), b"%d" % (now % 1000 * 1000)]


@_command
def _get(server: SimulatedRedis, key: bytes) -> bytes | None:
    value: bytes | None = server.get(key, lambda: None)
    return value


@_command
def _set(server: SimulatedRedis, key: bytes, value: bytes, *options: bytes) -> bytes:
    server.put(key, value)
    server.expires.pop(key, None)
    words = [option.upper() for option in options]
    if b"PX" in words:
        server.expires[key] = server.now_ms() + int(options[words.index(b"PX") + 1])
    return b"OK"


@_command
def _incr(server: SimulatedRedis, key: bytes) -> int:
    value = int(server.get(key, lambda: b"0")) + 1
    server.put(key, b"%d" % value)
    return value


@_command
def _exists(server: SimulatedRedis, *keys: bytes) -> int:
    return sum(server.get(key, lambda: None) is not None for key in keys)


@_command
def _del(server: SimulatedRedis, *keys: bytes) -> int:
    there: int = _exists(server, *keys)
    for key in keys:
        server.lose(key)
    return there


_COMMANDS["UNLINK"] = _del


@_command
def _expire(server: SimulatedRedis, key: bytes, seconds: bytes) -> int:
    server.expires[key] = server.now_ms() + int(seconds) * 1000
    return 1


@_command
def _pexpire(server: SimulatedRedis, key: bytes, milliseconds: bytes) -> int:
    server.expires[key] = server.now_ms() + int(milliseconds)
    return 1


@_command
def _ttl(server: SimulatedRedis, key: bytes) -> int:
    if not _exists(server, key):
        return -2
    return -1 if key not in server.expires else -(-(server.expires[key] - server.now_ms()) // 1000)


@_command
def _persist(server: SimulatedRedis, key: bytes) -> int:
    return int(server.expires.pop(key, None) is not None)


@_command
def _type(server: SimulatedRedis, key: bytes) -> bytes:
    value = server.get(key, lambda: None)
    if isinstance(value, dict):
        return b"zset" if value and isinstance(next(iter(value.values())), float) else b"hash"
    kinds: dict[type, bytes] = {bytes: b"string", set: b"set", list: b"stream"}
    return kinds.get(type(value), b"none")


@_command
def _keys(server: SimulatedRedis, pattern: bytes) -> list[bytes]:
    wanted = re.compile(re.escape(pattern).replace(rb"\*", b".*").replace(rb"\\", b"") + b"$", re.DOTALL)
    return sorted(key for key in list(server.keys) if wanted.match(key) and server.get(key, lambda: None) is not None)


@_command
def _scan(server: SimulatedRedis, _cursor: bytes, *options: bytes) -> list[Any]:
    words = [option.upper() for option in options]
    pattern = options[words.index(b"MATCH") + 1] if b"MATCH" in words else b"*"
    return [b"0", _keys(server, pattern)]


@_command
def _hget(server: SimulatedRedis, key: bytes, field: bytes) -> bytes | None:
    return server.get(key, dict).get(field)  # type: ignore[no-any-return]


@_command
def _hmget(server: SimulatedRedis, key: bytes, *fields: bytes) -> list[bytes | None]:
    found = server.get(key, dict)
    return [found.get(field) for field in fields]


@_command
def _hset(server: SimulatedRedis, key: bytes, *pairs: bytes) -> int:
    found = server.get(key, dict)
    before = len(found)
    found.update(zip(pairs[::2], pairs[1::2], strict=True))
    server.put(key, found)
    return len(found) - before


@_command
def _hdel(server: SimulatedRedis, key: bytes, *fields: bytes) -> int:
    found = server.get(key, dict)
    gone = sum(found.pop(field, None) is not None for field in fields)
    server.put(key, found)
    return gone


@_command
def _hkeys(server: SimulatedRedis, key: bytes) -> list[bytes]:
    return list(server.get(key, dict))


@_command
def _hvals(server: SimulatedRedis, key: bytes) -> list[bytes]:
    return list(server.get(key, dict).values())


@_command
def _hlen(server: SimulatedRedis, key: bytes) -> int:
    return len(server.get(key, dict))


@_command
def _hexists(server: SimulatedRedis, key: bytes, field: bytes) -> int:
    return int(field in server.get(key, dict))


@_command
def _hgetall(server: SimulatedRedis, key: bytes) -> list[bytes]:
    return [word for pair in server.get(key, dict).items() for word in pair]


@_command
def _hincrby(server: SimulatedRedis, key: bytes, field: bytes, by: bytes) -> int:
    found = server.get(key, dict)
    value = int(found.get(field, b"0")) + int(by)
    found[field] = b"%d" % value
    server.put(key, found)
    return value


@_command
def _sadd(server: SimulatedRedis, key: bytes, *members: bytes) -> int:
    found = server.get(key, set)
    before = len(found)
    found.update(members)
    server.put(key, found)
    return len(found) - before


@_command
def _srem(server: SimulatedRedis, key: bytes, *members: bytes) -> int:
    found = server.get(key, set)
    before = len(found)
    found.difference_update(members)
    server.put(key, found)
    return before - len(found)


@_command
def _smembers(server: SimulatedRedis, key: bytes) -> list[bytes]:
    return sorted(server.get(key, set))


@_command
def _sismember(server: SimulatedRedis, key: bytes, member: bytes) -> int:
    return int(member in server.get(key, set))


@_command
def _zadd(server: SimulatedRedis, key: bytes, *pairs: bytes) -> int:
    found = server.get(key, dict)
    before = len(found)
    for score, member in zip(pairs[::2], pairs[1::2], strict=True):
        found[member] = float(score)
    server.put(key, found)
    return len(found) - before


@_command
def _zrem(server: SimulatedRedis, key: bytes, *members: bytes) -> int:
    return _hdel(server, key, *members)  # type: ignore[no-any-return]


@_command
def _zcard(server: SimulatedRedis, key: bytes) -> int:
    return len(server.get(key, dict))


@_command
def _zscore(server: SimulatedRedis, key: bytes, member: bytes) -> bytes | None:
    score = server.get(key, dict).get(member)
    return None if score is None else _bytes(score)


@_command
def _zrange(server: SimulatedRedis, key: bytes, start: bytes, stop: bytes, *options: bytes) -> list[bytes]:
    ordered = sorted(server.get(key, dict).items(), key=lambda one: (one[1], one[0]))
    first, last = int(start), int(stop)
    last = len(ordered) + last if last < 0 else last
    chosen = ordered[first : last + 1]
    if b"WITHSCORES" in options:
        return [word for member, score in chosen for word in (member, _bytes(score))]
    return [member for member, _ in chosen]


@_command
def _zrangebyscore(server: SimulatedRedis, key: bytes, low: bytes, high: bytes, *options: bytes) -> list[bytes]:
    ordered = sorted((score, member) for member, score in server.get(key, dict).items())
    found = [member for score, member in ordered if float(low) <= score <= float(high)]
    words = [option.upper() for option in options]
    if b"LIMIT" in words:
        place = words.index(b"LIMIT")
        first, most = int(options[place + 1]), int(options[place + 2])
        return found[first : first + most]
    return found


@_command
def _zremrangebyscore(server: SimulatedRedis, key: bytes, low: bytes, high: bytes) -> int:
    return _zrem(server, key, *_zrangebyscore(server, key, low, high))  # type: ignore[no-any-return]


@_command
def _xlen(server: SimulatedRedis, key: bytes) -> int:
    return len(server.get(key, list))


@_command
def _xadd(server: SimulatedRedis, key: bytes, _id: bytes, *pairs: bytes) -> bytes:
    name = server.next_id()
    server.put(key, [*server.get(key, list), (name, list(pairs))])
    return name


@_command
def _xrange(server: SimulatedRedis, key: bytes, _low: bytes, _high: bytes, *options: bytes) -> list[Any]:
    most = int(options[1]) if options else 1 << 30
    return [[name, words] for name, words in server.get(key, list)[:most]]


@_command
def _xdel(server: SimulatedRedis, key: bytes, *names: bytes) -> int:
    found = server.get(key, list)
    kept = [one for one in found if one[0] not in names]
    server.put(key, kept)
    return len(found) - len(kept)


class SimulatedClient:
    """What the queue needs of `redis.Redis`. `trip` is asked before each round trip, and again after it.

    It may wait, and it may raise redis.ConnectionError: before, nothing was done; after, the answer alone is lost.
    """

    def __init__(self, server: SimulatedRedis, trip: Callable[[bool], None] = lambda _: None) -> None:
        self.server, self.trip = server, trip

    def register_script(self, source: str) -> SimulatedScript:
        """A script that can be called with keys and arguments."""
        return SimulatedScript(self, source)

    def pipeline(self, transaction: bool = True) -> SimulatedPipeline:
        """Commands that make one round trip."""
        return SimulatedPipeline(self)

    def round_trip(self, work: Callable[[], Any]) -> Any:
        """Do some work on the server."""
        self.trip(True)
        answer = work()
        self.trip(False)
        return answer

    def get(self, key: str) -> bytes | None:
        """GET."""
        return self.round_trip(lambda: self.server.call("GET", key))  # type: ignore[no-any-return]

    def type(self, key: str) -> bytes:
        """TYPE."""
        return self.round_trip(lambda: self.server.call("TYPE", key))  # type: ignore[no-any-return]

    def unlink(self, *keys: str) -> int:
        """UNLINK."""
        return self.round_trip(lambda: self.server.call("UNLINK", *keys))  # type: ignore[no-any-return]

    def sismember(self, key: str, member: str) -> int:
        """SISMEMBER."""
        return self.round_trip(lambda: self.server.call("SISMEMBER", key, member))  # type: ignore[no-any-return]


class SimulatedPipeline:
    """Commands that are sent together."""

    def __init__(self, client: SimulatedClient) -> None:
        self._client = client
        self._commands: list[Callable[[], Any]] = []

    def add(self, command: Callable[[], Any]) -> None:
        """Queue one."""
        self._commands.append(command)

    def sadd(self, key: str, *members: str) -> None:
        """SADD."""
        self.add(lambda: self._client.server.call("SADD", key, *members))

    def expire(self, key: str, time: timedelta) -> None:
        """EXPIRE."""
        self.add(lambda: self._client.server.call("EXPIRE", key, int(time.total_seconds())))

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Run all; answers, errors among them unless they are raised."""
        answers = self._client.round_trip(lambda: [_answered(one) for one in self._commands])
        self._commands = []
        if raise_on_error:
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return list(answers)

    def __enter__(self) -> SimulatedPipeline:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""


class SimulatedScript:
    """A registered script."""

    def __init__(self, client: SimulatedClient, source: str) -> None:
        self._client, self._source = client, source

    def __call__(
        self, keys: Sequence[str] = (), args: Sequence[object] = (), client: SimulatedPipeline | None = None
    ) -> Any:
        """Run it now, or when the pipeline is executed."""
        server, keys, args = self._client.server, list(keys), list(args)
        if client is not None:
            client.add(lambda: server.script(self._source, keys, args))
            return None
        return self._client.round_trip(lambda: server.script(self._source, keys, args))


def _answered(command: Callable[[], Any]) -> Any:
    try:
        return command()
    except redis.ResponseError as error:
        return error
