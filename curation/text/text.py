"""A batch of texts with the words, chunks, lines, paragraphs and sentences that all filters share.

The kernels of `curation.text.words`, `.chunks`, `.lines`, `.unicode_lines` and `.sentences` find each of these on first use.

Invariant: nothing here depends on how documents are split into batches.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from curation.arrays import Flags
from curation.text.column import TextColumn, offsets_of
from curation.text.slicing import already_found, carry, slices

if TYPE_CHECKING:
    from curation.text.chunks import Chunks
    from curation.text.lines import Lines, Paragraphs, PieceBounds, VisibleBounds
    from curation.text.words import Words


@dataclass(frozen=True)
class Text(TextColumn):
    """A batch of texts, with the pieces found in them."""

    def where(self, stays: Flags) -> "Text":
        """Return the column of the texts that stay, carrying over words and lines that were found before."""
        if stays.all():
            return self
        chosen = Text(slices(self.data, self.offsets, stays), offsets_of(self.lengths[stays]))
        for name, found in already_found(self):
            vars(chosen)[name] = carry(found, stays, chosen)
        return chosen

    @cached_property
    def words(self) -> "Words":
        """The words of every text, found once."""
        from curation.text.words import find_words

        return find_words(self)

    @cached_property
    def chunks(self) -> "Chunks":
        """The chunks (runs between spaces) of every text, found once."""
        from curation.text.chunks import find_chunks

        return find_chunks(self.words)

    @cached_property
    def lines(self) -> "Lines":
        """The lines of every text, found once."""
        from curation.text.lines import find_lines

        return find_lines(self)

    @cached_property
    def unicode_lines(self) -> "VisibleBounds":
        """The lines of every text by Unicode's line ends, as `str.splitlines` gives them, found once."""
        from curation.text.unicode_lines import find_unicode_lines

        return find_unicode_lines(self, self.lines)

    @cached_property
    def paragraphs(self) -> "Paragraphs":
        """The paragraphs of every text, found once."""
        from curation.text.lines import find_paragraphs

        return find_paragraphs(self, self.lines)

    @cached_property
    def sentences(self) -> "PieceBounds":
        """The sentences of every text, found once."""
        from curation.text.sentences import find_sentences

        return find_sentences(self)
