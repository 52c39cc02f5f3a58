"""How many words the product has: names, lines, comments, sizes, circles, by its syntax alone.

    python -m scripts.measure [--at COMMIT] [--json]     the tree as it is, or as it was at a commit

Names are those at module level: classes, functions and constants; a name with an underscore counts as private. Product
lines are lines without blanks, comments and docstrings. A circle is a set of modules that import each other when they
are imported; imports inside functions and for types alone are none.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("services", "schemas")


@dataclass(frozen=True)
class Module:
    """One file of the product, read once."""

    name: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Lines of the file, all of them."""
        return len(self.text.splitlines())


@dataclass(frozen=True)
class Measured:
    """The figures; those called `per_1000` are for a thousand lines of whatever kind."""

    modules: int
    lines: int
    product_lines: int
    public_names: int
    private_names: int
    public_per_1000: float
    comments_per_1000: float
    docstrings_of_four_words: int
    median_module: float
    modules_above_350: int
    longest_modules: dict[str, int]
    classes_of_one_name: dict[str, list[str]]
    circle: list[str]


def modules(root: Path) -> Iterator[Module]:
    """Every module of the product under a root, but for what is generated."""
    for place in PLACES:
        for path in sorted((root / place).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if "assets" not in path.parts:
                parts = path.relative_to(root / place).with_suffix("").parts
                yield Module(".".join(parts).removesuffix(".__init__"), text, ast.parse(text))


def measured(found: list[Module]) -> Measured:
    """All figures of these modules."""
    names = [name for module in found for name in names_of(module.tree)]
    lines = sum(module.lines for module in found)
    private = sum(name.startswith("_") for name in names)
    sizes = {module.name: module.lines for module in found}
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for module in found:
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                holders[node.name.lstrip("_")].append(module.name)
    return Measured(
        modules=len(found),
        lines=lines,
        product_lines=sum(product_lines(module) for module in found),
        public_names=len(names) - private,
        private_names=private,
        public_per_1000=round(1000 * (len(names) - private) / lines, 1),
        comments_per_1000=round(1000 * sum(comments(module.text) for module in found) / lines, 1),
        docstrings_of_four_words=sum(_is_thin(text) for module in found for text in docstrings(module.tree)),
        median_module=median(sizes.values()),
        modules_above_350=sum(size > 350 for size in sizes.values()),
        longest_modules=dict(Counter(sizes).most_common(8)),
        classes_of_one_name={name: where for name, where in sorted(holders.items()) if len(where) > 1},
        circle=circle(found),
    )


def names_of(tree: ast.Module) -> Iterator[str]:
    """Classes, functions and constants at module level, also in an `if` or `try` there; dunders are not counted."""
    for node in _top_level(tree.body):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (one.id for one in targets if isinstance(one, ast.Name) and not one.id.startswith("__"))
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("__"):
                yield name
            case _:
                pass


def product_lines(module: Module) -> int:
    """Lines with code on them: without blanks, comments and docstrings."""
    told: set[int] = set()
    for node in _documented(module.tree):
        first = node.body[0]
        if ast.get_docstring(node, clean=False) is not None:
            told |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    used: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in skipped:
            used |= set(range(token.start[0], token.end[0] + 1))
    return len(used - told)


def comments(text: str) -> int:
    """Comments, but for those that speak to a tool."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    said = (token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT)
    return sum(not one.startswith(("noqa", "type:", "fmt:", "pragma", "!")) for one in said)


def docstrings(tree: ast.Module) -> Iterator[str]:
    """Docstrings of public classes and functions, methods too."""
    for node in _documented(tree):
        if not isinstance(node, ast.Module) and not node.name.startswith("_"):
            text = ast.get_docstring(node)
            if text:
                yield text


def circle(found: Iterable[Module]) -> list[str]:
    """Modules that import each other in a circle, one such; none where there is none."""
    known = {module.name for module in found}
    graph = {module.name: set(_imports(module, known)) - {module.name} for module in found}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _imports(module: Module, known: set[str]) -> Iterator[str]:
    package = module.name.split(".")
    for node in _top_level(module.tree.body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            level = node.level - (f"{module.name}.__init__" in known)
            base = ".".join((*(package[: len(package) - level] if node.level else ()), *filter(None, [node.module])))
            for alias in node.names:
                yield from (one for one in (f"{base}.{alias.name}", base) if one in known)


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from _top_level([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _top_level([*node.body, *node.orelse, *node.finalbody])
        else:
            yield node


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _documented(tree: ast.Module) -> Iterator[Documented]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Documented) and node.body)


def _is_thin(text: str) -> bool:
    return len(text.split()) <= 4


def told(figures: Mapping[str, object]) -> str:
    """The figures as lines to read."""
    return "\n".join(
        f"{name.replace('_', ' '):28} {len(what) if isinstance(what, dict) else what}" for name, what in figures.items()
    )


def main() -> int:
    """0; figures go to standard output."""
    parser = argparse.ArgumentParser(prog="python -m scripts.measure", description=__doc__)
    parser.add_argument("--at", metavar="COMMIT", help="as it was then")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.at is None:
        found = list(modules(ROOT))
    else:
        with tempfile.TemporaryDirectory() as folder:
            archive = subprocess.run(["git", "archive", asked.at, *PLACES], cwd=ROOT, capture_output=True, check=True)
            subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
            found = list(modules(Path(folder)))
    figures = asdict(measured(found))
    sys.stdout.write((json.dumps(figures, indent=1) if asked.json else told(figures)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
