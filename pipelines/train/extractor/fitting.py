"""Models fitted to examples by LightGBM, flattened for the kernel that walks them.

The second model sees the first one's probabilities, and must see such as the first gives for pages that it does not know; so those of the
examples come from folds, each fitted without the sites of the pages that it judges. Sites are dealt to folds by a hash of their name.

Source: Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree" (NeurIPS 2017); stacking: Wolpert (1992).

Invariant: one thread, a fixed seed and LightGBM's deterministic mode: the same examples give the same models.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from curation.errors import RecipeError
from curation.ingest.extraction.page_blocks.second_look import context
from curation.ingest.extraction.page_blocks.trees import Trees
from pipelines.train.extractor.examples import PageExamples

PAGE_FOLDS = 5
_ROUNDS = 130
_SETTINGS = {
    "objective": "binary", "learning_rate": 0.06, "num_leaves": 28, "max_depth": 6, "min_data_in_leaf": 60, "feature_fraction": 0.4,
    "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5.0, "verbose": -1, "num_threads": 1, "seed": 1, "deterministic": True,
    "force_row_wise": True,
}  # fmt: skip


class Fitted(NamedTuple):
    """The two models, and each example's probability by models that have not seen its site: of the first, and of the second."""

    models: dict[str, Trees]
    first: Any
    second: Any


def fold_of(site: str) -> int:
    """Return the fold that a site is dealt to."""
    return int(hashlib.sha256(site.encode()).hexdigest()[:8], 16) % PAGE_FOLDS


def fit(examples: PageExamples, tell: Callable[[str], None]) -> Fitted:
    """Fit both models to all examples, and judge each by models of the other folds. `tell` is told of each step."""
    folds = np.repeat([fold_of(page.site) for page in examples.pages], np.diff(examples.begins))
    first = _unseen(examples.rows, examples, folds, "first", tell)
    tell("the first model, of all pages")
    models = {"first": _fit(examples.rows, examples.content, examples.weights)}
    rows = np.hstack([examples.rows, context_of(examples, first)])
    second = _unseen(rows, examples, folds, "second", tell)
    tell("the second model, of all pages")
    models["second"] = _fit(rows, examples.content, examples.weights)
    return Fitted({name: flattened(model) for name, model in models.items()}, first, second)


def context_of(examples: PageExamples, first: Any) -> Any:
    """Return what the second model sees besides, for each block."""
    edges = examples.begins
    return np.concatenate([context(cut, first[edges[k] : edges[k + 1]]) for k, cut in enumerate(examples.cuts)])


def _unseen(rows: Any, examples: PageExamples, folds: Any, which: str, tell: Callable[[str], None]) -> Any:
    probability = np.zeros(len(rows))
    for fold in range(PAGE_FOLDS):
        tell(f"the {which} model, without fold {fold + 1} of {PAGE_FOLDS}")
        others = folds != fold
        model = _fit(rows[others], examples.content[others], examples.weights[others])
        probability[~others] = model.predict(rows[~others], num_threads=1) if (~others).any() else 0
    return probability


def _fit(rows: Any, content: Any, weights: Any) -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise RecipeError("training needs LightGBM: pip install 'textbook-curation[training]'") from error
    return lightgbm.train(_SETTINGS, lightgbm.Dataset(rows, content.astype(np.int8), weight=weights), _ROUNDS)


def flattened(model: Any) -> Trees:
    """Return a LightGBM model as flat arrays; thresholds become the next smaller float32, which decides float32 features alike."""
    feature: list[int] = []
    threshold: list[float] = []
    child: list[int] = []
    value: list[float] = []
    roots, depths = [], []
    for tree in model.dump_model()["tree_info"]:
        roots.append(len(feature))
        depths.append(_add(tree["tree_structure"], feature, threshold, child, value))
    exact = np.array(threshold)
    rounded = exact.astype(np.float32)
    rounded = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    arrays: Sequence[Any] = (feature, child, roots, depths)
    features, children, begins, deep = (np.array(array, np.int32) for array in arrays)
    return Trees(features, rounded.astype(np.float32), children, np.array(value, np.float32), begins, deep)


def _add(node: Any, feature: list[int], threshold: list[float], child: list[int], value: list[float]) -> int:
    """Add a node and all below it; return how deep it goes. A leaf is its own child."""
    place = len(feature)
    feature.append(node.get("split_feature", 0))
    threshold.append(node.get("threshold", 0.0))
    child += [place, place]
    value.append(node.get("leaf_value", 0.0))
    if "split_feature" not in node:
        return 0
    depths = []
    for side, name in enumerate(("left_child", "right_child")):
        child[2 * place + side] = len(feature)
        depths.append(_add(node[name], feature, threshold, child, value))
    return 1 + max(depths)
