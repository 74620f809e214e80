"""A small evaluator for the programs of `program_tracing`: one function, one list, one loop, whole numbers.

It walks the syntax tree and supports assignment, `for` over the argument, `if`/`else`, `return`, + - * % and comparisons. Everything else
is an error, so it can read a program from any source: nothing is executed.
"""

import ast
from collections.abc import Sequence

_LARGEST = 10**9


def run(program: str, values: Sequence[int]) -> int:
    """Return the function's result for the list. Raises ValueError for any unsupported construct."""
    result, _ = _walk(program, values)
    return result


def turns(program: str, values: Sequence[int]) -> list[tuple[str, int]]:
    """Return the name and value of the returned variable after every iteration of the loop."""
    _, seen = _walk(program, values)
    return seen


def _walk(program: str, values: Sequence[int]) -> tuple[int, list[tuple[str, int]]]:
    try:
        (function,) = ast.parse(program).body
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"not one function: {error}") from None
    match function:
        case ast.FunctionDef(
            args=ast.arguments(args=[ast.arg(arg=argument)]),
            body=[
                ast.Assign() as start,
                ast.For(target=ast.Name(id=each), iter=ast.Name(id=over), body=body, orelse=[]),
                ast.Return(value=ast.Name(id=returned)),
            ],
        ) if over == argument:
            state: dict[str, int] = {}
            _do(start, state)
            seen = []
            for value in values:
                state[each] = int(value)
                for statement in body:
                    _do(statement, state)
                seen.append((returned, state[returned]))
            return state[returned], seen
    raise ValueError("not a function with one start value, one loop and one return")


def _do(statement: ast.stmt, state: dict[str, int]) -> None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            state[name] = _value(value, state)
        case ast.If(test=ast.Compare(left=left, ops=[operator], comparators=[right]), body=yes, orelse=no):
            for inner in yes if _holds(_value(left, state), operator, _value(right, state)) else no:
                _do(inner, state)
        case _:
            raise ValueError(f"{type(statement).__name__} is not known here")


def _holds(left: int, operator: ast.cmpop, right: int) -> bool:
    match operator:
        case ast.Gt():
            return left > right
        case ast.Lt():
            return left < right
        case ast.Eq():
            return left == right
    raise ValueError(f"{type(operator).__name__} is not known here")


def _value(node: ast.expr, state: dict[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return state[name]
        case ast.BinOp(left=left, op=operator, right=right):
            return _combined(_value(left, state), operator, _value(right, state))
    raise ValueError(f"{type(node).__name__} is not known here")


def _combined(left: int, operator: ast.operator, right: int) -> int:
    if max(abs(left), abs(right)) > _LARGEST:
        raise ValueError("the numbers grow too large")
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Mod():
            return left % right
    raise ValueError(f"{type(operator).__name__} is not known here")
