"""Logistic regression with an L2 penalty on sparse rows, by dual coordinate descent.

Source: Yu, Huang and Lin 2011, "Dual coordinate descent methods for logistic regression and maximum entropy models" (liblinear's solver 7).
Each row has one dual variable between 0 and its cost. In a random but fixed order, Newton's method moves one variable at a time to the
minimum of the objective with all others fixed, and the weights are updated with it. The descent ends when no gradient exceeds TOLERANCE,
or after MOST_ROUNDS.

Invariants
    - The same rows, labels and costs give the same weights on one kind of machine, since the random order comes from a hashed counter.
    - The order of rows changes only the last digits; callers that need the same bytes give rows in the same order.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.text.kernels import kernel
from curation.text.words import mix_bits

TOLERANCE = 0.03
MOST_ROUNDS = 60


class SparseRows(NamedTuple):
    """n sparse rows: row i has values[offsets[i]:offsets[i + 1]] in the columns at the same positions, all below `width`."""

    offsets: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]
    width: int

    def times(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Multiply the rows by weights (width by k)."""
        products = np.zeros((len(self.offsets) - 1, weights.shape[1]))
        _multiply(self.offsets, self.columns, self.values, np.ascontiguousarray(weights), products)
        return products


def fit_logistic(
    rows: SparseRows, positive: npt.NDArray[np.bool_], costs: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """Return the weights (width) and the intercept that separate positive rows from the others; the intercept is penalised like one."""
    weights = np.zeros(rows.width + 1)
    signs = np.where(positive, 1.0, -1.0)
    _descend(rows.offsets, rows.columns, rows.values, signs, costs, weights, TOLERANCE, MOST_ROUNDS)
    return weights[:-1], float(weights[-1])


@kernel
def _multiply(offsets: Any, columns: Any, values: Any, weights: Any, products: Any) -> None:
    for row in range(len(offsets) - 1):
        for place in range(offsets[row], offsets[row + 1]):
            for level in range(weights.shape[1]):
                products[row, level] += values[place] * weights[columns[place], level]


@kernel
def _descend(offsets: Any, columns: Any, values: Any, signs: Any, costs: Any, weights: Any, tolerance: float, most_rounds: int) -> None:
    """Fill `weights`, which are zero at first; the last is the intercept. Dual variables come in pairs that add up to the row's cost."""
    count = len(offsets) - 1
    last = len(weights) - 1
    taken, left, squares = np.empty(count), np.empty(count), np.empty(count)
    order = np.arange(count)
    for row in range(count):
        taken[row] = min(0.001 * costs[row], 1e-8)
        left[row] = costs[row] - taken[row]
        squares[row] = 1.0
        weights[last] += signs[row] * taken[row]
        for place in range(offsets[row], offsets[row + 1]):
            squares[row] += values[place] * values[place]
            weights[columns[place]] += signs[row] * taken[row] * values[place]
    chance = np.uint64(0)
    for _ in range(most_rounds):
        for row in range(count - 1, 0, -1):
            chance += np.uint64(1)
            other = np.int64((mix_bits(chance * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(33)) % np.uint64(row + 1))
            order[row], order[other] = order[other], order[row]
        worst = 0.0
        for step in range(count):
            row = order[step]
            cost, square = costs[row], squares[row]
            margin = weights[last]
            for place in range(offsets[row], offsets[row + 1]):
                margin += weights[columns[place]] * values[place]
            margin *= signs[row]
            near_end = 0.5 * square * (left[row] - taken[row]) + margin < 0  # which of the two variables is moved: the smaller in the end
            begin = left[row] if near_end else taken[row]
            slope = -margin if near_end else margin
            value = 0.1 * begin if cost - begin < 0.5 * cost else begin
            gradient = square * (value - begin) + slope + np.log(value / (cost - value))
            worst = max(worst, abs(gradient))
            for _ in range(50):
                if abs(gradient) < 1e-9:
                    break
                moved = value - gradient / (square + cost / ((cost - value) * value))
                value = 0.1 * value if moved <= 0 else moved
                gradient = square * (value - begin) + slope + np.log(value / (cost - value))
            change = -taken[row]
            taken[row] = cost - value if near_end else value
            left[row] = cost - taken[row]
            change = (change + taken[row]) * signs[row]
            weights[last] += change
            for place in range(offsets[row], offsets[row + 1]):
                weights[columns[place]] += change * values[place]
        if worst < tolerance:
            break
