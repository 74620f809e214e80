"""The result of an annotation as tables on the terminal."""

from typing import TYPE_CHECKING

from curation.counting import counted
from pipelines.terminal.terminal import new_console, new_table, print_pairs, print_table
from pipelines.terminal.wording import number, printable

if TYPE_CHECKING:
    from pipelines.annotate.annotate import Annotation


def show_annotation(made: "Annotation") -> None:
    """Show the number of labels with each score, the replies without a vote, and the agreement of the raters."""
    console = new_console()
    refused = ", ".join(f"{reason}: {count:,}" for reason, count in made.refused.items())
    pairs = {
        "labels": f"{made.labels}, {counted(made.rows, 'row')}",
        "by score": ", ".join(f"{score}: {count:,}" for score, count in made.by_score.items()),
        "without a label": counted(made.unanswered, "excerpt") if made.unanswered else "",
        "replies without a vote": refused,
        "asked now": f"{counted(made.asked, 'request')}, {made.usd:g} USD",
    }
    print_pairs(console, pairs)
    if made.agreement:
        table = new_table("excerpts", "kappa", "the same", "within 1", "who", "and", title="Agreement", numbers_from=0, numbers_to=3)
        for pair in made.agreement:
            shares = [f"{pair.exact:.1%}", f"{pair.within_one:.1%}"]
            table.add_row(f"{pair.excerpts:,}", number(pair.quadratic_kappa) or "-", *shares, printable(pair.first), printable(pair.second))
        print_table(console, table)
