"""Every example in a docstring of the statistics says what the function returns."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import workbench.statistics

MODULES = sorted(module.name for module in pkgutil.iter_modules(workbench.statistics.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_hold(name: str) -> None:
    module = importlib.import_module(f"workbench.statistics.{name}")
    failed, tried = doctest.testmod(module)
    assert not failed and (tried or name == "figures")
