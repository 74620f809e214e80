"""The settings that a training tries, in order, and how many of them.

Each trainer has a list. It begins with the settings that were best on the project's own labels. All other combinations of a grid follow in
the order of their hashes, so that every beginning of the list is a random sample of the grid (Bergstra and Bengio 2012, "Random Search for
Hyper-Parameter Optimization"). `best` takes the settings of both trainers in turn.

A search tries settings from the beginning of the list: a given number, or as many as start within a given number of minutes.

Invariant: the clock decides how many settings are tried and nothing else, so a search by number repeats a search by minutes.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import chain, product, takewhile, zip_longest

from curation.errors import UsageError
from pipelines.train.fasttext_trainer import FastTextTrainer
from pipelines.train.linear_trainer import LinearTrainer
from pipelines.train.trainers import Trainer

LINEAR: tuple[Trainer, ...] = (LinearTrainer(cost=16.0), LinearTrainer(cost=48.0))
FASTTEXT: tuple[Trainer, ...] = (FastTextTrainer(),)
USUAL: Mapping[str, tuple[Trainer, ...]] = {"linear": LINEAR, "fasttext": FASTTEXT, "best": LINEAR + FASTTEXT}
"""Name -> the settings that are tried if nothing else is asked for."""


def all_settings(trainer: str) -> tuple[Trainer, ...]:
    """Return all settings that a search can try, in order. Raises UsageError for an unknown name."""
    if trainer not in USUAL:
        raise UsageError(f"--trainer {trainer}: there are {', '.join(USUAL)}")
    linear = _shuffled(
        LinearTrainer(cost, rarity, least_texts, pairs)
        for cost, rarity, least_texts, pairs in product((4.0, 16.0, 48.0, 144.0), (0.5, 1.0, 1.5), (2, 3, 5), (True, False))
    )
    fasttext = _shuffled(
        FastTextTrainer(dimensions, epochs, learning_rate, least_texts, pairs)
        for dimensions, epochs, learning_rate, least_texts, pairs in product(
            (8, 16, 32, 64), (10, 25, 50), (0.1, 0.3, 0.5), (2, 3, 5), (True, False)
        )
    )
    both = [settings for pair in zip_longest(linear, fasttext) for settings in pair if settings is not None]
    more = {"linear": linear, "fasttext": fasttext, "best": both}[trainer]
    return tuple(dict.fromkeys([*USUAL[trainer], *more]))


def to_try(trainer: str, trials: int | None, minutes: float | None, clock: Callable[[], float] = time.monotonic) -> Iterator[Trainer]:
    """Return the settings to try: the first always, a later one only while time is left.

    Without `trials` and `minutes` these are the usual settings. Raises UsageError for an unknown name.
    """
    those = all_settings(trainer)
    end = math.inf if minutes is None else clock() + 60 * minutes
    if trials is None:
        trials = len(USUAL[trainer] if minutes is None else those)
    return chain(those[:1], takewhile(lambda _: clock() < end, those[1:trials]))


def _shuffled(those: Iterator[Trainer]) -> list[Trainer]:
    return sorted(those, key=lambda settings: sha256(repr(settings).encode()).digest())
