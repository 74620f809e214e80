"""Models fitted to examples by LightGBM, flattened for the kernel that walks them.

The second model sees the first one's probabilities, and must see such as the first gives for pages that it does not know; so each
holdout's examples are scored by a model fitted to the others. Sites are dealt to holdouts by a hash of their name.

Source: Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree" (NeurIPS 2017); stacking: Wolpert (1992).

Invariant: one thread, a fixed seed and LightGBM's deterministic mode: the same examples give the same models.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from curation.errors import RecipeError
from curation.ingest.extraction.page_blocks.extract import UNLIKELY
from curation.ingest.extraction.page_blocks.second_look import context
from curation.ingest.extraction.page_blocks.trees import MOST_LEAVES, Trees
from pipelines.train.extractor.examples import PageExamples

PAGE_HOLDOUTS = 5
_ROUNDS = 130
_SETTINGS = {
    "objective": "binary", "learning_rate": 0.06, "num_leaves": 28, "max_depth": 6, "min_data_in_leaf": 60, "feature_fraction": 0.4,
    "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5.0, "verbose": -1, "num_threads": 1, "seed": 1, "deterministic": True,
    "force_row_wise": True, "max_bin": 63,
}  # fmt: skip


class Fitted(NamedTuple):
    """The two models, and each example's probability by models that have not seen its site: of the first, and of the second."""

    models: dict[str, Trees]
    first: Any
    second: Any


def holdout_of(site: str) -> int:
    """Return the holdout that a site is dealt to."""
    return int(hashlib.sha256(site.encode()).hexdigest()[:8], 16) % PAGE_HOLDOUTS


def fit(examples: PageExamples, tell: Callable[[str], None]) -> Fitted:
    """Fit both models to all examples, and score each example by models of the other holdouts. `tell` receives a line for each step."""
    holdouts = np.repeat([holdout_of(page.site) for page in examples.pages], np.diff(examples.begins))
    first = _unseen(examples.rows, examples, holdouts, holdouts >= 0, "first", tell)
    tell("the first model, of all pages")
    models = {"first": _fit(examples.rows, examples.content, examples.weights)}
    rows = np.hstack([examples.rows, context_of(examples, first)])
    asked = first >= UNLIKELY
    second = np.where(asked, _unseen(rows, examples, holdouts, asked, "second", tell), first)
    tell("the second model, of all pages")
    models["second"] = _fit(rows[asked], examples.content[asked], examples.weights[asked])
    return Fitted({name: flattened(model) for name, model in models.items()}, first, second)


def context_of(examples: PageExamples, first: Any) -> Any:
    """Return what the second model sees besides, for each block."""
    edges = examples.begins
    return np.concatenate([context(cut, first[edges[k] : edges[k + 1]]) for k, cut in enumerate(examples.cuts)])


def _unseen(rows: Any, examples: PageExamples, holdouts: Any, asked: Any, which: str, tell: Callable[[str], None]) -> Any:
    """Return the probabilities of the rows that are asked for, each by a model of those in other holdouts."""
    probability = np.zeros(len(rows))
    for holdout in range(PAGE_HOLDOUTS):
        tell(f"the {which} model, without holdout {holdout + 1} of {PAGE_HOLDOUTS}")
        others, own = (holdouts != holdout) & asked, (holdouts == holdout) & asked
        model = _fit(rows[others], examples.content[others], examples.weights[others])
        probability[own] = model.predict(rows[own], num_threads=1) if own.any() else 0
    return probability


def _fit(rows: Any, content: Any, weights: Any) -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise RecipeError("training needs LightGBM: pip install 'textbook-curation[training]'") from error
    return lightgbm.train(_SETTINGS, lightgbm.Dataset(rows, content.astype(np.int8), weight=weights), _ROUNDS)


def flattened(model: Any) -> Trees:
    """Return a LightGBM model as tests; thresholds become the next smaller float32, which decides float32 features alike."""
    tests: list[tuple[int, float, int, int]] = []
    given = model.dump_model()["tree_info"]
    value = np.zeros((len(given), MOST_LEAVES), np.float32)
    for number, tree in enumerate(given):
        _add(tree["tree_structure"], number, 0, tests, value[number])
    tests.sort()
    feature, threshold, trees, left = (np.array([test[part] for test in tests]) for part in range(4))
    return Trees(feature.astype(np.int16), threshold.astype(np.float32), trees.astype(np.int16), left.astype(np.uint32), value)


def _rounded(threshold: float) -> float:
    """Return the largest float32 that is not above a threshold."""
    rounded = np.float32(threshold)
    return float(np.nextafter(rounded, np.float32(-np.inf)) if rounded > threshold else rounded)


def _add(node: Any, tree: int, leaves: int, tests: list[tuple[int, float, int, int]], value: Any) -> int:
    """Add a node's test and all below it; return the number of leaves with those of the node, given those at its left."""
    if "split_feature" not in node:
        value[leaves] = node["leaf_value"]
        return leaves + 1
    middle = _add(node["left_child"], tree, leaves, tests, value)
    ruled_out = (1 << middle) - (1 << leaves)
    tests.append((node["split_feature"], _rounded(node["threshold"]), tree, 0xFFFFFFFF ^ ruled_out))
    return _add(node["right_child"], tree, middle, tests, value)
