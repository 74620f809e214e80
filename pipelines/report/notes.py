"""What a funnel's table has no column for, in words that terminal, card and report share."""

from curation.counting import counted
from pipelines.inspect.flows import Funnel
from pipelines.terminal.wording import comparison_in_words, cut_in_words


def notes_of(funnel: Funnel) -> list[str]:
    """Say what a funnel's table has no column for: what was cut of documents that were kept, what was compared, and how."""
    notes = []
    if funnel.cut is not None:
        notes.append(f"{cut_in_words(funnel.cut.passages, funnel.cut.documents, funnel.cut.text_bytes)}.")
    for where, found in (("", funnel.comparisons), ("Of generated rows and what was kept, ", funnel.generated_comparisons)):
        if found is not None and found.documents:
            passed_over = f"; {found.skipped:,} more in crowded buckets were passed over" if found.skipped else ""
            pairs = counted(found.compared, "pair was", "pairs were")
            notes.append(f"{where}{counted(found.documents, 'document')} had a candidate, {pairs} compared{passed_over}.")
    if funnel.compared_by is not None:
        by = funnel.compared_by
        notes.append(f"Compared by {comparison_in_words(by.shingles, by.bands, by.rows, by.threshold)}.")
    return notes
