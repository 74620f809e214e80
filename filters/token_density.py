"""Token density: the number of tokens per character of a text.

Source: Emami Gohari et al. 2025, "GneissWeb: Preparing High Quality Data for LLMs at Scale". It calls texts outside a range
"extreme-tokenized": they have far more tokens than English prose (keys, hashes, markup, other scripts), or far fewer (one repeated word).
Its rule keeps 0.22 to 0.28 tokens per character, and 0.10 to 0.50 in science, technology, education and medicine. GneissWeb's classifiers
tell the field of a text. This project has none, so a recipe for such sources sets the wider range itself.

    tokens   number of tokens of the text, without those that a tokenizer adds around it
    density  tokens divided by characters (code points); null for an empty text

Without a tokenizer nothing is measured. The published ranges belong to GneissWeb's tokenizer; English prose has another density with
another tokenizer. This filter is by far the slowest one, so it belongs behind the gates of the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Table
from curation.choices import NonNegative
from curation.storage.resources import digest
from curation.text.text import Text
from curation.text.tokens import load_tokenizer, token_counts
from filters.contract import Filter, Rule, Signals, Threshold, above, below


@dataclass(frozen=True)
class TokenDensity(Filter):
    """Drops texts with too many or too few tokens per character.

    tokenizer                 a tokenizer.json (Hugging Face tokenizers): a local path, or `<package>:<file>`; none means no signals
    min_density, max_density  0.22 and 0.28 tokens per character: GneissWeb's bounds for texts of no special field
    """

    tokenizer: str | None = None
    min_density: Threshold[NonNegative] = 0.22
    max_density: Threshold[NonNegative] = 0.28

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"tokens": pa.int64(), "density": pa.float64()}
    file_fields: ClassVar[frozenset[str]] = frozenset({"tokenizer"})
    needs_files: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("tokenizers",)
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where no tokenizer is named.", None),)

    def files(self) -> Mapping[str, str]:
        """Return the digest of the tokenizer. Raises InputError if the file is missing, and RecipeError if it is not a tokenizer."""
        if self.tokenizer is None:
            return {}
        load_tokenizer(self.tokenizer)
        return {"tokenizer": digest(self.tokenizer)}

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Count the tokens and the characters of each text."""
        if self.tokenizer is None:
            return {name: pa.nulls(len(text), kind) for name, kind in self.signal_types.items()}
        tokens = token_counts(text.to_arrow().to_pylist(), self.tokenizer, special_tokens=False)
        characters = text.lines.text_characters
        density = tokens / np.maximum(characters, 1)
        return {"tokens": tokens, "density": pa.array(density, pa.float64(), mask=characters == 0)}

    def rules(self) -> Mapping[str, Rule]:
        """Return the two bounds."""
        return {"few_tokens": below("density", self.min_density), "many_tokens": above("density", self.max_density)}
