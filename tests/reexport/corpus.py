"""A run of a few thousand small documents of three sources, to export in many ways."""

import json
import random
from pathlib import Path

from tests.verbs import call

DOCUMENTS = 3000

RECIPE = """description = "Three sources of small documents."

[[filter]]
name = "gopher_quality"
min_words = 1
min_alphabetic_word_ratio = 0.0
min_stop_words = 0
max_words = 100000
min_mean_word_length = 0
max_mean_word_length = 100

[deduplicate]

[[input]]
path = "books.jsonl"
source = "books"

[[input]]
path = "crawl.jsonl"
source = "crawl"

[[input]]
path = "forum.jsonl"
source = "forum"

[synthesize]
teacher = { name = "procedural" }
tasks = [{ name = "worked_problem", count = 60 }]
"""

_SHARES = (("books", 0.2), ("crawl", 0.5), ("forum", 0.3))


def write_corpus(folder: Path) -> Path:
    """Write the input and the recipe, run it, and return the folder of the run."""
    chance = random.Random(5)
    words = [f"{a}{b}{c}" for a in ("ta", "li", "mo", "re") for b in ("ker", "ban", "sol", "vim") for c in ("a", "en", "ist", "ous")]
    for source, share in _SHARES:
        lines = []
        for number in range(int(DOCUMENTS * share)):
            text = " ".join(chance.choice(words) for _ in range(chance.randrange(20, 500)))
            url = f"https://www.site{number % 40}.{source}.example.com/{number}"
            lines.append(json.dumps({"id": f"{source}-{number}", "text": text, "url": url, "license": "cc0"}))
            if number % 10 == 0:  # copies, so that clusters have sizes
                lines += [json.dumps({"id": f"{source}-{number}-{copy}", "text": text}) for copy in range(number % 3)]
        (folder / f"{source}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "corpus.toml").write_text(RECIPE)
    said = call("run", folder / "corpus.toml", "--out", folder / "out")
    assert said.code == 0, said.all
    return folder / "out"
