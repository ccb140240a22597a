"""Docstrings that users read, where `python -OO` has thrown them away: the formula of a unit, the help of a command."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def documented(function: Function) -> Function:
    """Give a function the docstring of its source back, and return it."""
    if sys.flags.optimize >= 2 and not function.__doc__:
        function.__doc__ = _written(function) or f"{function.__name__} (python -OO has thrown its docstring away)"
    return function


def _written(function: Callable[..., Any]) -> str | None:
    """The docstring in the source of a function; None where the source, or the docstring, is not there."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    return ast.get_docstring(definition, clean=False) if isinstance(definition, ast.FunctionDef) else None
