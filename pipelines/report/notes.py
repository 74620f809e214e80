"""Notes on facts that have no column in the funnel's table; the terminal and the report share their words."""

from curation.counting import counted
from pipelines.inspect.flows import Funnel
from pipelines.terminal.wording import comparison_in_words, cut_in_words


def notes_of(funnel: Funnel) -> list[str]:
    """Say how much text was cut from kept documents, how many pairs were compared, and how."""
    notes = []
    if funnel.cut is not None:
        notes.append(f"{cut_in_words(funnel.cut.passages, funnel.cut.documents, funnel.cut.text_bytes)}.")
    for where, found in (("", funnel.comparisons), ("Generated rows and kept documents: ", funnel.generated_comparisons)):
        if found is not None and found.documents:
            skipped = f"; {found.skipped:,} more pairs in crowded buckets were skipped" if found.skipped else ""
            pairs = counted(found.compared, "pair was", "pairs were")
            notes.append(f"{where}{counted(found.documents, 'document')} had a candidate, and {pairs} compared{skipped}.")
    if funnel.compared_by is not None:
        by = funnel.compared_by
        notes.append(f"Settings of the comparison: {comparison_in_words(by.shingles, by.bands, by.rows, by.threshold)}.")
    return notes
