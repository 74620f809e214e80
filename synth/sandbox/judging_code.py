"""Judging code: its tests must pass, twice the same, and programs that differ from it in one place must fail them.

Tests that any program passes prove nothing, so MUTANTS of the program are made: a comparison turned round, a sum made a difference, a
number moved by one, a result replaced (mutation testing, DeMillo et al. 1978). At least LEAST_CAUGHT of them must fail, and a stub must
too.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from synth.sandbox.running import Level, Limits, run_code
from synth.task import Rejected

MUTANTS = 6
LEAST_CAUGHT = 0.5
_OTHERS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult, ast.Mod: ast.Mult,
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


@dataclass(frozen=True)
class PassedCode:
    """Code that passed its tests: the level at which it ran, and how many of its mutants the tests caught, such as "5/6"."""

    level: Level
    caught: str


def judge_code(program: str, tests: str, limits: Limits | None = None) -> PassedCode:
    """Return what the tests of a program that passes them are worth. Raises Rejected (`unparsable`, `tests_fail`, `tests_vacuous`)."""
    passed = _judged(program, tests, limits)
    if isinstance(passed, Rejected):
        raise Rejected(passed.rule, passed.evidence)
    return passed


@lru_cache(maxsize=4096)
def _judged(program: str, tests: str, limits: Limits | None) -> PassedCode | Rejected:
    """Judge once what a conversation asks for whenever it is replayed."""
    try:
        return _judge(program, tests, limits)
    except Rejected as rejected:
        return rejected.with_traceback(None)


def _judge(program: str, tests: str, limits: Limits | None) -> PassedCode:
    try:
        tree = ast.parse(program)
        ast.parse(tests)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Rejected("unparsable", {"detail": f"the code is no Python: {error}"}) from None
    for _ in range(2):
        outcome = run_code(program, tests, limits)
        if outcome.ended != "passed":
            raise Rejected("tests_fail", {"ended": outcome.ended, "said": outcome.said, "sandbox": outcome.level})
    mutants = [_stub(tree), *_spread(list(_mutants(program)), MUTANTS)]
    caught = [run_code(mutant, tests, limits).ended != "passed" for mutant in mutants]
    if not caught[0] or sum(caught) < LEAST_CAUGHT * len(caught):
        raise Rejected("tests_vacuous", {"caught": f"{sum(caught)}/{len(caught)}", "a stub passes": not caught[0]})
    return PassedCode(outcome.level, f"{sum(caught)}/{len(caught)}")


def _stub(tree: ast.Module) -> str:
    """Return the program with functions that do nothing."""
    stub = ast.parse(ast.unparse(tree))
    for node in ast.walk(stub):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(stub))


def _mutants(program: str) -> Iterator[str]:
    """Yield programs that differ in one place."""
    for place in range(sum(1 for _ in ast.walk(ast.parse(program)))):
        tree = ast.parse(program)
        node = next(node for number, node in enumerate(ast.walk(tree)) if number == place)
        if _changed(node):
            yield ast.unparse(ast.fix_missing_locations(tree))


def _changed(node: ast.AST) -> bool:
    """Change a node, if it is of a kind that has another."""
    match node:
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in _OTHERS:
            node.op = _OTHERS[type(op)]()  # type: ignore[assignment]
        case ast.Compare(ops=[op, *_]) if type(op) in _OTHERS:
            node.ops[0] = _OTHERS[type(op)]()  # type: ignore[call-overload]
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            node.value = value + 1
        case _:
            return False
    return True


def _spread(mutants: list[str], most: int) -> list[str]:
    """Return at most `most` mutants, spread over the whole program."""
    return mutants[:: max(1, -(-len(mutants) // most))][:most]
