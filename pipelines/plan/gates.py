"""Gates: find the order of filters, and the filters that let later ones skip dropped documents, that minimise the time of measuring.

Ordering costly tests that each drop a share of the documents is the pipelined set cover problem. For independent filters the best order is
by cost divided by share dropped; for correlated filters that rule can be wrong (Munagala et al. 2005, "The Pipelined Set Cover Problem").
Recipes have few filters, so this module finds the optimum by dynamic programming over sets (as Held and Karp 1962 did for routes): the
documents left after some gates do not depend on the order of the gates, and the parts already found depend only on the filters that have
measured. Verdicts are those of the sample's own documents, not products of shares.

    a filter costs    its own signals for the documents left, and every shared part that no earlier filter needed
    a gate costs      also its rules, and carrying the texts and parts of the documents that pass
    the last filter   is never a gate: nothing comes after it

Invariants
    - Costs are whole nanoseconds, so that equal costs compare equal. Among equal costs, the order with fewer gates, then the recipe's own
      order, is best.
    - The result is optimal while there are at most BEAM states, that is for up to 8 filters. Beyond that, the search keeps the cheapest
      BEAM states.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.plan.filter_costs import TEXT, Trial

BEAM = 2048

Order = tuple[tuple[int, bool], ...]
"""The order in which filters measure: the index of each filter in the recipe, and whether it is a gate."""


@dataclass(frozen=True)
class OrderSearch:
    """Computes the costs of orders on the documents of a trial. Sets of filters are bit masks."""

    trial: Trial

    def nanoseconds(self, order: Order) -> int:
        """Return the nanoseconds for measuring the sample in this order."""
        total = measured = gates = 0
        for place, (filter_, gate) in enumerate(order, 1):
            gate = gate and place < len(order)  # noqa: PLW2901  (as measure does)
            total += self._step(measured, gates, filter_, gate)
            measured, gates = measured | 1 << filter_, gates | gate << filter_
        return total

    def reaching(self, order: Order) -> Iterator[tuple[int, int]]:
        """Yield the number of documents, and the bytes of their text, that reach each filter of an order."""
        gates = 0
        for filter_, gate in order:
            yield self._left(gates)
            gates |= gate << filter_

    def best(self, reorder: bool = True) -> Order:
        """Return the cheapest order and gates; with `reorder` false, the recipe's order with the best gates."""
        count = len(self.trial.filters)
        states: dict[tuple[int, int], tuple[int, int, Order]] = {(0, 0): (0, 0, ())}
        for place in range(count):
            following: dict[tuple[int, int], tuple[int, int, Order]] = {}
            for (measured, gates), (spent, closed, order) in states.items():
                for filter_ in range(count) if reorder else (place,):
                    if measured >> filter_ & 1:
                        continue
                    for gate in (False, True) if place + 1 < count else (False,):
                        state = measured | 1 << filter_, gates | gate << filter_
                        taken = spent + self._step(measured, gates, filter_, gate)
                        entry = taken, closed + gate, (*order, (filter_, gate))
                        following[state] = min(entry, following.get(state, entry))
            states = dict(sorted(following.items(), key=lambda item: item[1])[:BEAM])
        return min(states.values())[2]

    def _step(self, measured: int, gates: int, filter_: int, gate: bool) -> int:
        """Return the nanoseconds of a filter after the filters in `measured`, of which those in `gates` are gates."""
        trial, cost = self.trial, self.trial.filters[filter_]
        left = self._left(gates)
        found = self._found(measured)
        seconds = [cost.signals.of(*left), *(trial.parts[part].of(*left) for part in sorted(cost.needs - found))]
        if gate:
            _, passing = self._left(gates | 1 << filter_)
            carried = [TEXT, *sorted(found | cost.needs)]
            seconds += [cost.rules.of(*left), *(trial.carrying[part] * passing for part in carried)]
        return sum(round(each * 1e9) for each in seconds)

    def _found(self, measured: int) -> frozenset[str]:
        """Return the shared parts that some filters have found."""
        if measured not in self._parts:
            costs = [cost for place, cost in enumerate(self.trial.filters) if measured >> place & 1]
            self._parts[measured] = frozenset[str]().union(*(cost.needs for cost in costs))
        return self._parts[measured]

    def _left(self, gates: int) -> tuple[int, int]:
        """Return the number of documents, and the bytes of their text, that pass some gates."""
        if gates not in self._known:
            closed = [place for place in range(len(self.trial.filters)) if gates >> place & 1]
            stays = ~self.trial.drops[:, closed].any(axis=1)
            self._known[gates] = int(np.count_nonzero(stays)), int(self.trial.text_bytes[stays].sum())
        return self._known[gates]

    @cached_property
    def _known(self) -> dict[int, tuple[int, int]]:
        return {}

    @cached_property
    def _parts(self) -> dict[int, frozenset[str]]:
        return {}


def as_it_is(gates: Sequence[bool]) -> Order:
    """Return a recipe's own order, given which of its filters are gates."""
    return tuple(enumerate(gates))
