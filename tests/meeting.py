"""Counting what a property test met: one whose examples never hold what it is about would pass whatever the code does."""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

met: Counter[str] = Counter()
"""What the examples of the running test held; the test counts it, by name."""


def meets(**least: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Stands above `@given`: fail a test whose examples, taken together, held less of something than it says."""

    def counting(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def counted(*arguments: Any, **named: Any) -> None:
            met.clear()
            test(*arguments, **named)
            few = {name: met[name] for name, count in least.items() if met[name] < count}
            assert not few, f"the examples held only {few} of {least}"

        return counted

    return counting
