"""Who writes and who reads which topic, found in the source: what flows into a record to send or into a reader.

A topic's name is followed from where it is written down, through variables, attributes of `self`, constants, parameters
and calls, to where an `OutRecord` is made of it (written) or a broker's `consumer` or `reader` is asked for it (read).
What lies in a package that all share counts for whoever refers to it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_READING = frozenset({"consumer", "reader"})
_SHARED = ("linewarden_runtime.", "linewarden_domain.")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Use:
    """That a symbol at the top of a module writes or reads a topic."""

    verb: str
    topic: str
    module: str
    symbol: str


@dataclass(eq=False)
class _Scope:
    """Where an expression stands: a function with its parameters, in a class or none; or a module."""

    module: str
    symbol: str
    owner: str | None = None
    parent: _Scope | None = None
    name: str = ""
    params: tuple[str, ...] = ()
    bound: dict[str, list[ast.expr]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class _Call:
    node: ast.Call
    scope: _Scope


@dataclass(frozen=True)
class _Flow:
    """An expression on the way back from a record or a reader; `kept` is where a constant of a module was used."""

    expr: ast.expr
    scope: _Scope
    kept: _Scope | None = None


class _Program:
    def __init__(self, root: Path, topics: frozenset[str]) -> None:
        self.topics = topics
        self.modules: dict[str, _Scope] = {}
        self.imports: dict[str, dict[str, tuple[str, str]]] = {}
        self.fields: dict[tuple[str, str, str], list[tuple[ast.expr, _Scope]]] = defaultdict(list)
        self.calls: dict[str, list[_Call]] = defaultdict(list)
        self.names: dict[tuple[str, str], set[str]] = defaultdict(set)
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            self._read(".".join(parts).removesuffix(".__init__"), parts[-1] == "__init__", path)

    def _read(self, module: str, is_package: bool, path: Path) -> None:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        self.imports[module] = dict(_imports(module, is_package, tree))
        top = _Scope(module, "")
        self.modules[module] = top
        for node in tree.body:
            symbol = getattr(node, "name", "")
            self.names[module, symbol] |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
            self._walk(node, _Scope(module, symbol, parent=top) if symbol else top, None)

    def _walk(self, node: ast.AST, scope: _Scope, owner: str | None) -> None:
        if isinstance(node, ast.ClassDef):
            owner = node.name
            made = tuple(name for one in node.body if (name := _field(one)))
            init = _Scope(scope.module, scope.symbol, owner, scope, "__init__", made)
            for name in made:  # a dataclass is made of its fields
                self.fields[scope.module, owner, name].append((ast.Name(name), init))
        elif isinstance(node, _Function):
            scope = _Scope(scope.module, scope.symbol, owner, scope, node.name, _params(node))
        elif isinstance(node, ast.Call):
            self.calls[_last(node.func)].append(_Call(node, scope))
        self._bind(node, scope, owner)
        for child in ast.iter_child_nodes(node):
            self._walk(child, scope, owner)

    def _bind(self, node: ast.AST, scope: _Scope, owner: str | None) -> None:
        for target, value in _bindings(node):
            for one, given in _pairs(target, value):
                if isinstance(one, ast.Name):
                    scope.bound[one.id].append(given)
                elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and owner:
                    self.fields[scope.module, owner, one.attr].append((given, scope))

    def found(self, verb: str, expr: ast.expr, scope: _Scope) -> Iterator[Use]:
        """Every topic that may flow into an expression, with the place where its name is known."""
        seen, waiting = set(), [_Flow(expr, scope)]
        while waiting:
            flow = waiting.pop()
            key = (id(flow.expr), id(flow.scope), id(flow.kept))
            if key in seen:
                continue
            seen.add(key)
            if isinstance(flow.expr, ast.Constant) and flow.expr.value in self.topics:
                place = flow.scope if flow.scope.symbol else flow.kept or flow.scope
                yield Use(verb, str(flow.expr.value), place.module, place.symbol)
            waiting += self._into(flow)

    def _into(self, flow: _Flow) -> Iterator[_Flow]:
        """What flows into an expression directly."""
        match flow.expr:
            case ast.Name(id=name):
                yield from self._named(name, flow)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                for given, where in self.fields.get((flow.scope.module, _owner(flow.scope), name), ()):
                    yield _Flow(given, where, flow.kept)
            case ast.Attribute() | ast.Lambda() | ast.JoinedStr():
                pass
            case _:
                for one in _parts(flow.expr):
                    yield _Flow(one, flow.scope, flow.kept)

    def _named(self, name: str, flow: _Flow) -> Iterator[_Flow]:
        # A constant counts where it is used, not where it is written down.
        kept = flow.scope if flow.scope.symbol or flow.kept is None else flow.kept
        at: _Scope | None = flow.scope
        while at is not None:
            if name in at.bound:
                for given in at.bound[name]:
                    yield _Flow(given, at, kept)
                if name not in at.params:
                    return
            if name in at.params:
                yield from self._passed(name, at, flow.kept)
                return
            at = at.parent
        origin = self.imports[flow.scope.module].get(name)
        if origin is not None and origin[0] in self.modules:
            for given in self.modules[origin[0]].bound.get(origin[1], ()):
                yield _Flow(given, self.modules[origin[0]], kept)

    def _passed(self, name: str, function: _Scope, kept: _Scope | None) -> Iterator[_Flow]:
        called = function.owner if function.name == "__init__" and function.owner else function.name
        for call in self.calls.get(called, ()):
            if not self._means(call, function, called):
                continue
            place = function.params.index(name) - (function.params[:1] in {("self",), ("cls",)})
            if 0 <= place < len(call.node.args):
                yield _Flow(call.node.args[place], call.scope, kept)
            for one in call.node.keywords:
                if one.arg == name:
                    yield _Flow(one.value, call.scope, kept)

    def _means(self, call: _Call, function: _Scope, called: str) -> bool:
        match call.node.func:
            case ast.Name(id=name):
                origin = self.imports[call.scope.module].get(name, (call.scope.module, name))
                return origin == (function.module, called)
            case ast.Attribute(value=ast.Name(id="self")) if function.owner == _owner(call.scope):
                return function.module == call.scope.module
            case ast.Attribute(value=ast.Name(id=name)) if name in self.imports[call.scope.module]:
                origin = self.imports[call.scope.module][name]
                return f"{origin[0]}.{origin[1]}" == function.module or origin == (function.module, function.owner)
            case _:  # a method of something: any of that name, since too much is seen and too little is not
                # But a private one only where it is written: nobody else may call it.
                is_near = function.module == call.scope.module or not called.startswith("_")
                return function.owner is not None and is_near

    def uses(self) -> set[Use]:
        found: set[Use] = set()
        for name, calls in self.calls.items():
            for call in calls:
                if name == "OutRecord" and call.node.args:
                    found |= set(self.found("writes", call.node.args[0], call.scope))
                elif name in _READING and isinstance(call.node.func, ast.Attribute):
                    for one in [*call.node.args, *(given.value for given in call.node.keywords)]:
                        found |= set(self.found("reads", one, call.scope))
        return found | set(self._shared(found))

    def _shared(self, found: set[Use]) -> Iterator[Use]:
        """Uses that lie in a shared package, for each symbol elsewhere that refers to them by any way there."""
        for use in [one for one in found if one.module.startswith(_SHARED)]:
            known, new = set(), {(use.module, use.symbol)}
            while new:
                known |= new
                new = {place for place in self.names if self._refers(place, new)} - known
                yield from (Use(use.verb, use.topic, *place) for place in new if not place[0].startswith(_SHARED))
                new = {place for place in new if place[0].startswith(_SHARED)}

    def _refers(self, place: tuple[str, str], wanted: set[tuple[str, str]]) -> bool:
        module, _ = place
        imported = self.imports[module]
        return any(imported.get(name, (module, name)) in wanted for name in self.names[place])


def topic_uses(root: Path, topics: frozenset[str]) -> set[Use]:
    """Uses of these topics in the packages under a folder; those of shared packages by who refers to them."""
    return {one for one in _Program(root, topics).uses() if not one.module.startswith(_SHARED)}


def _parts(expr: ast.expr) -> Iterator[ast.expr]:
    """What an expression's value is made of: of a call its arguments, and the mapping that it goes through."""
    if isinstance(expr, ast.Call):
        yield from (*expr.args, *(one.value for one in expr.keywords))
        if isinstance(expr.func, ast.Attribute) and expr.func.attr in {"values", "items", "keys", "get"}:
            yield expr.func.value
    else:
        yield from (one for one in ast.iter_child_nodes(expr) if isinstance(one, ast.expr))


def _imports(module: str, is_package: bool, tree: ast.Module) -> Iterator[tuple[str, tuple[str, str]]]:
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join((*above, *filter(None, [node.module])))
            for alias in node.names:
                yield alias.asname or alias.name, (base, alias.name)


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets)
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value):
            yield target, value
        case ast.NamedExpr(target=target, value=value):
            yield target, value
        case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
            yield target, value
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            yield target, value


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple):
        same = isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
        for number, one in enumerate(target.elts):
            yield from _pairs(one, value.elts[number] if same and isinstance(value, ast.Tuple) else value)
    else:
        yield target, value


def _field(node: ast.stmt) -> str:
    return node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else ""


def _params(node: _Function) -> tuple[str, ...]:
    return tuple(one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))


def _last(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _owner(scope: _Scope) -> str:
    at: _Scope | None = scope
    while at is not None:
        if at.owner is not None:
            return at.owner
        at = at.parent
    return ""
