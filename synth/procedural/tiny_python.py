"""A small evaluator of Python: whole numbers, texts and lists, assignments, loops, branches, and functions that may call themselves.

It walks the syntax tree, so it can read a program from any source: nothing is executed, everything unknown is a ValueError, and the number
of statements is bounded. `seen` records the value of a watched variable after every turn of a loop, or every call with its result.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_MOST_STATEMENTS = 20_000
_LARGEST = 10**12
_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Gt: operator.gt, ast.Lt: operator.lt, ast.GtE: operator.ge, ast.LtE: operator.le, ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.In: lambda item, items: item in items, ast.NotIn: lambda item, items: item not in items,
}  # fmt: skip
_BUILT_IN: Mapping[str, Callable[..., Any]] = {"len": len, "abs": abs, "max": max, "min": min, "range": range, "sum": sum, "sorted": sorted}


class _Return(Exception):
    """Carries a function's result out of its body."""


class TinyPython:
    """A program of functions that can be called."""

    def __init__(self, program: str, watch: str = "") -> None:
        """Read a program. Raises ValueError."""
        try:
            body = ast.parse(program).body
        except (SyntaxError, RecursionError) as error:
            raise ValueError(f"not a program: {error}") from None
        self._functions = {part.name: part for part in body if isinstance(part, ast.FunctionDef)}
        self._watch, self._left = watch, _MOST_STATEMENTS
        self.seen: list[Any] = []
        self.calls: list[tuple[tuple[Any, ...], Any]] = []

    def call(self, name: str, *values: Any) -> Any:
        """Return what a function returns. Raises ValueError for anything unknown."""
        function = self._functions[name]
        state = dict(zip([each.arg for each in function.args.args], values, strict=True))
        result = None
        try:
            self._run(function.body, state)
        except _Return as returned:
            result = returned.args[0]
        self.calls.append((values, result))
        return result

    def _run(self, body: Sequence[ast.stmt], state: dict[str, Any]) -> None:
        for statement in body:
            self._left -= 1
            if self._left < 0:
                raise ValueError("the program runs too long")
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    state[name] = self._value(value, state)
                case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                    state[name] = _OPERATORS[type(op)](state[name], self._value(value, state))
                case ast.If(test=test, body=yes, orelse=no):
                    self._run(yes if self._value(test, state) else no, state)
                case ast.For(target=ast.Name(id=name), iter=over, body=inner):
                    for item in self._value(over, state):
                        state[name] = item
                        self._run(inner, state)
                        self.seen.append(state.get(self._watch))
                case ast.While(test=test, body=inner):
                    while self._value(test, state):
                        self._run(inner, state)
                        self.seen.append(state.get(self._watch))
                case ast.Return(value=ast.expr() as value):
                    raise _Return(self._value(value, state))
                case _:
                    raise ValueError(f"{type(statement).__name__} is not known here")

    def _value(self, node: ast.expr, state: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant(value=int() | str() as constant):
                return constant
            case ast.Name(id=name) if name in state:
                return state[name]
            case ast.List(elts=items):
                return [self._value(item, state) for item in items]
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return not self._value(inner, state)
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                value = _OPERATORS[type(op)](self._value(left, state), self._value(right, state))
                if isinstance(value, int) and abs(value) > _LARGEST:
                    raise ValueError("the numbers grow too large")
                return value
            case ast.Subscript(value=whole, slice=ast.Slice(lower=lower, upper=upper, step=None)):
                bounds = [None if bound is None else self._value(bound, state) for bound in (lower, upper)]
                return self._value(whole, state)[bounds[0] : bounds[1]]
            case ast.Subscript(value=whole, slice=place):
                return self._value(whole, state)[self._value(place, state)]
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                values = [self._value(argument, state) for argument in arguments]
                return self.call(name, *values) if name in self._functions else _BUILT_IN[name](*values)
        raise ValueError(f"{type(node).__name__} is not known here")
