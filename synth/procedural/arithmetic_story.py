"""Stories in which a stock of things grows and shrinks: whole-number addition, subtraction, multiplication and division in context.

`solve` keeps a real pile: it puts things on a list and takes them off, and counts the answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator


@dataclass(frozen=True)
class _Scene:
    title: str
    things: str
    begin: tuple[str, ...]
    add: tuple[str, ...]
    take: tuple[str, ...]
    bring_groups: tuple[str, ...]
    give_groups: tuple[str, ...]
    share: tuple[str, ...]


_SCENES = (
    _Scene(
        "A morning at the bakery",
        "rolls",
        ("{who} opens the bakery with {n} rolls on the shelf.", "At dawn there are {n} rolls cooling in {who}'s bakery."),
        ("The oven gives {n} more.", "A late tray adds {n} rolls to the shelf.", "Another {n} rolls come out of the oven."),
        ("A café collects {n} of them.", "{n} rolls are sold before eight o'clock.", "{n} turn out burnt and are thrown away."),
        ("A helper carries in {k} baskets with {n} rolls in each.", "Then {k} trays arrive, and every tray holds {n} rolls."),
        ("After that {k} customers buy {n} rolls each.", "{k} regulars come by and each takes {n} rolls."),
        ("The rest is packed evenly into {n} bags. How many rolls go into each bag?",),
    ),
    _Scene(
        "Books on the move",
        "books",
        ("The school library owns {n} books on astronomy.", "{who} counts {n} books on the library's long shelf."),
        ("A donation brings {n} more books.", "{n} books return from the binder.", "The town museum hands over {n} old books."),
        ("{n} books are lent to a neighbouring school.", "{n} worn copies are taken out for repair."),
        ("A publisher sends {k} parcels of {n} books.", "{k} families each give {n} books they no longer read."),
        ("{k} classes borrow {n} books each.", "For a project, {k} groups of pupils carry off {n} books apiece."),
        ("{who} spreads what is left equally over {n} shelves. How many books stand on one shelf?",),
    ),
    _Scene(
        "The stamp album",
        "stamps",
        ("{who} has collected {n} stamps.", "There are {n} stamps in the album that {who} inherited."),
        ("A cousin posts {n} more.", "At a flea market {who} finds {n} stamps worth keeping.", "{n} stamps are soaked off old letters."),
        ("{n} doubles are swapped away.", "{n} stamps prove to be forgeries and leave the album.", "{who} gives {n} to a friend."),
        ("{who} buys {k} sheets with {n} stamps on each.", "{k} pen friends send {n} stamps apiece."),
        ("{k} club members each receive {n} stamps as a gift.", "{who} mounts {k} display cards with {n} stamps each and sells them."),
        ("The remaining stamps fill {n} pages evenly. How many stamps are on a page?",),
    ),
    _Scene(
        "Counting the orchard's apples",
        "apples",
        ("By noon {who} has picked {n} apples.", "{n} apples lie in the cart when {who} takes over the count."),
        ("The next tree yields {n} apples.", "{n} more apples are gathered from the grass.", "A neighbour adds {n} apples to the cart."),
        ("{n} bruised apples go to the pigs.", "{n} apples are pressed for juice.", "{n} roll off the cart and are lost."),
        ("Then {k} pickers bring in {n} apples each.", "{k} crates are loaded, with {n} apples in every crate."),
        ("{k} visitors are handed {n} apples apiece.", "{k} school classes receive a box of {n} apples each."),
        ("What remains is divided equally among {n} stalls. How many apples does each stall get?",),
    ),
    _Scene(
        "Seats for the concert",
        "chairs",
        ("{n} chairs stand in the hall when {who} arrives.", "For the concert {who} sets out {n} chairs."),
        ("{n} chairs are fetched from the cellar.", "The café next door lends {n} chairs.", "Volunteers unfold {n} more."),
        ("{n} chairs wobble and are put aside.", "To make room for the piano, {n} chairs are removed."),
        ("A van delivers {k} stacks of {n} chairs.", "{k} helpers carry in {n} chairs each."),
        ("{k} side rooms each need {n} chairs, which are taken from the hall.", "{k} corners are cleared, at {n} chairs a corner."),
        ("The chairs left over form {n} equal rows. How many chairs are in a row?",),
    ),
    _Scene(
        "Parcels at the depot",
        "parcels",
        ("The depot begins its shift with {n} parcels.", "At six in the morning {who} scans {n} parcels."),
        ("A courier drops off {n} parcels.", "{n} parcels are found behind the belt.", "The night train leaves {n} more."),
        ("{n} parcels are sent back for want of an address.", "{n} go out by bicycle.", "Customs holds {n} of them."),
        ("{k} pallets come in, each with {n} parcels.", "From the port come {k} cages holding {n} parcels each."),
        ("{k} drivers load {n} parcels each and leave.", "{k} shops pick up {n} parcels apiece."),
        ("The parcels still there are split evenly among {n} vans. How many parcels ride in one van?",),
    ),
    _Scene(
        "Beads for necklaces",
        "beads",
        ("{who} pours {n} glass beads into a bowl.", "A bowl on {who}'s bench holds {n} beads."),
        ("{n} beads are added from an old bracelet.", "A jar gives up another {n} beads.", "{who} finds {n} more in a drawer."),
        ("{n} chipped beads are picked out.", "{n} beads are lent to a neighbour.", "{n} roll under the bench for good."),
        ("{who} opens {k} packets of {n} beads.", "{k} strings are cut, and each frees {n} beads."),
        ("{k} pairs of earrings use up {n} beads each.", "{k} children thread {n} beads apiece."),
        ("The beads left are shared equally between {n} necklaces. How many beads does a necklace have?",),
    ),
    _Scene(
        "The aquarium's fish",
        "fish",
        ("The big tank holds {n} fish.", "{who} keeps watch over {n} fish in the aquarium."),
        ("{n} young fish are released into it.", "A rescue station brings {n} fish.", "{n} fish return from quarantine."),
        ("{n} fish are moved to the lagoon.", "A zoo takes over {n} of them.", "{n} fish are set free in the bay."),
        ("{k} breeders each supply {n} fish.", "From the harbour come {k} tubs with {n} fish in each."),
        ("{k} smaller tanks get {n} fish each.", "{k} schools adopt {n} fish apiece."),
        ("All others are spread evenly over {n} ponds. How many fish swim in each pond?",),
    ),
)
_ASK = (
    "How many {things} are there now?",
    "How many {things} does that leave?",
    "Find the number of {things} at the end.",
    "What is the count of {things} after all this?",
)
_WHY = {
    "add": ("{n} {things} join the {before}", "the stock of {before} grows by {n}", "we add {n} to the {before} already there"),
    "take": ("{n} {things} leave the {before}", "we take {n} away from {before}", "we subtract {n} from the {before} that were there"),
}


class ArithmeticStory(Generator):
    """A stock that changes two to six times."""

    about: ClassVar[str] = "whole-number arithmetic in a short story with several steps"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return a story of 1 + difficulty moves; from difficulty 3 on it may end in a division."""
        say = Narrator(draw)
        scene, who = say.one_of(*_SCENES), say.person()
        size = 15 * difficulty
        start = total = draw.randint(12, 20 + 4 * size)
        story = [say.one_of(*scene.begin).format(who=who, n=start)]
        moves: list[list[Any]] = []
        steps: list[str] = []
        count = 1 + difficulty
        for number in range(count):
            move, total, told, step = self._move(say, scene, total, size)
            moves.append(move)
            story.append(told.format(who=who, n=move[-1], k=move[1]))
            steps.append(say.led(number, max(count, 2), step))
        divisors = [n for n in range(2, 13) if total % n == 0 and total > n]
        if difficulty >= 3 and divisors and draw.random() < 0.6:
            n = draw.choice(divisors)
            moves.append(["share", n])
            story.append(say.one_of(*scene.share).format(who=who, n=n))
            steps.append(
                say.last(
                    f"equal shares mean division, so {total} / {n} = {total // n} {scene.things} go to each.",
                    f"we split {total} {scene.things} into {n} equal parts: {total} / {n} = {total // n}.",
                )
            )
            total //= n
        else:
            story.append(say.one_of(*_ASK).format(things=scene.things))
        facts = {"start": start, "moves": moves}
        return Exercise(scene.title, " ".join(story), tuple(steps), f"{total} {scene.things}", facts)

    def _move(self, say: Narrator, scene: _Scene, total: int, size: int) -> tuple[list[Any], int, str, str]:
        """Return a move, the new total, the sentence of the story, and the step that computes it."""
        draw = say.draw
        kind = draw.choice(("add", "take", "bring", "give")) if total > 24 else draw.choice(("add", "bring"))
        things = scene.things
        if kind in ("add", "take"):
            n = draw.randint(3, size) if kind == "add" else draw.randint(3, min(size, total - 6))
            after = total + n if kind == "add" else total - n
            sign = "+" if kind == "add" else "-"
            why = say.one_of(*_WHY[kind]).format(n=n, things=things, before=total)
            step = say.one_of(f"{why}: {total} {sign} {n} = {after}.", f"{why}, and {total} {sign} {n} = {after} {things}.")
            return [kind, n], after, say.one_of(*(scene.add if kind == "add" else scene.take)), step
        k = draw.randint(2, 6 if kind == "bring" else min(6, total // 4))
        n = draw.randint(2, 12) if kind == "bring" else draw.randint(2, max(2, min(12, (total - 4) // k)))
        after = total + k * n if kind == "bring" else total - k * n
        sign, verb = ("+", "come in") if kind == "bring" else ("-", "go out")
        step = say.one_of(
            f"{k} times {n} {things} {verb}, which is {k} × {n} = {k * n}, and so the stock becomes {total} {sign} {k * n} = {after}.",
            f"equal groups call for multiplication: {k} × {n} = {k * n} {things} {verb}. That gives {total} {sign} {k * n} = {after}.",
            f"work out the groups before touching the total: {k} × {n} = {k * n}. Then {total} {sign} {k * n} = {after}.",
        )
        return [kind, k, n], after, say.one_of(*(scene.bring_groups if kind == "bring" else scene.give_groups)), step

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Keep a pile and count it."""
        pile = ["thing"] * int(facts["start"])
        for kind, *amounts in facts["moves"]:
            match kind:
                case "add":
                    pile.extend(["thing"] * amounts[0])
                case "take":
                    del pile[: amounts[0]]
                case "bring":
                    for _ in range(amounts[0]):
                        pile.extend(["thing"] * amounts[1])
                case "give":
                    for _ in range(amounts[0]):
                        del pile[: amounts[1]]
                case "share":
                    dealt = [pile[first :: amounts[0]] for first in range(amounts[0])]
                    if len({len(hand) for hand in dealt}) != 1:
                        raise ValueError("the shares are not equal")
                    pile = dealt[0]
                case _:
                    raise ValueError(f"{kind!r} is no move")
        return str(len(pile))
