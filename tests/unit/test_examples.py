"""The examples in docstrings of what users import run as they stand."""

import doctest
import pkgutil
from importlib import import_module

import linewarden_domain
import linewarden_runtime.testing

PACKAGES = (linewarden_domain, linewarden_runtime.testing)
NEED_ONE = frozenset({"kappa", "rates", "resampling", "routing", "tables", "study_sheet"})
"""Modules of the domain that users call for figures and tables of their own."""


def test_examples_run_and_the_modules_that_need_one_have_one() -> None:
    names = [one.name for package in PACKAGES for one in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    ran = {name: doctest.testmod(import_module(name)) for name in (*names, *(one.__name__ for one in PACKAGES))}
    assert [name for name, result in ran.items() if result.failed] == []
    assert ran["linewarden_runtime.testing"].attempted > 0
    assert [name for name in sorted(NEED_ONE) if not ran[f"linewarden_domain.{name}"].attempted] == []
