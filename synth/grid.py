"""The grid spreads questions evenly over all combinations of values; a question's number alone determines its values.

Topic, reader, style and so on are axes; a cell is one value of each. Questions step through the cells by a stride near the golden section
of the number of cells that shares no factor with it. So every cell is used once before any is used twice, and any sequence of questions
covers all values. (Cosmopedia draws personas and audiences at random, which leaves cells empty.)
"""

import math
from collections.abc import Mapping, Sequence

_GOLDEN = (math.sqrt(5) - 1) / 2


def cell_of(number: int, axes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the value of each axis for a question."""
    total = math.prod(len(values) for values in axes.values())
    stride = next(step for step in range(max(1, round(total * _GOLDEN)), 2 * total + 2) if math.gcd(step, total) == 1)
    place = number * stride % total
    cell = {}
    for name, values in axes.items():
        place, at = divmod(place, len(values))
        cell[name] = values[at]
    return cell
