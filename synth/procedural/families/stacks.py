"""A stack of moves: what lies on top in the end? The second way matches each removal with its push."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import ordinal
from synth.procedural.steps import Steps, state


class Stacks(Family):
    """Pushes and pops on a stack, or on a queue from the third level."""

    about = "stacks and queues"
    knobs = by_level(moves=(5, 6, 7, 9, 11), queues=(0, 0, 1, 1, 1))
    slips = ("wrong_end", "forgets_pop")

    def draw(self, chance: Chance) -> Values:
        """Draw moves that never take from nothing and leave something."""
        letters, moves, held = chance.sample("ABCDEFGHKLMNPRST", 12), list[list[str]](), 0
        while len(moves) < chance.knob.moves or held < 1 or not any(move[0] == "take" for move in moves):
            if held > 1 and chance.chances(0.4):
                moves.append(["take"])
                held -= 1
            else:
                moves.append(["put", letters[sum(move[0] == "put" for move in moves) % 12]])
                held += 1
        shape = chance.choice(("stack", "queue")) if chance.knob.queues else "stack"
        return {"shape": shape, "moves": moves, **chance.of_world("piles"), "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the moves in a row."""
        return {"list": ", ".join(f"put {move[1]}" if move[0] == "put" else "take" for move in facts["moves"])}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Note what is there after each move."""
        held, first_taken = list[str](), True
        end = -1 if facts["shape"] == "stack" else 0
        for at, move in enumerate(facts["moves"], 1):
            if move[0] == "put":
                held.append(move[1])
            elif slip == "forgets_pop" and first_taken:
                first_taken = False
            elif held:
                held.pop(-1 - end if slip == "wrong_end" else end)
            told = " ".join(held) or "nothing"
            claim = f"the {facts['shape']}, from {'bottom to top' if end else 'front to back'}, is {told}"
            yield state(f"the {facts['shape']} after the {ordinal(at)} move", claim, "moved", move=" ".join(move), at=ordinal(at))
        yield state(f"the final {facts['shape']}", f"what remains is {told}", "remains", value=told)

    def recheck(self, facts: Facts) -> list[str]:
        """Strike out: a removal meets the latest put before it that is not struck out, or in a queue the earliest."""
        puts, gone = list[tuple[int, str]](), set[int]()
        for at, move in enumerate(facts["moves"]):
            if move[0] == "put":
                puts.append((at, move[1]))
            else:
                open_ = [place for place, _ in puts if place not in gone]
                gone.add(max(open_) if facts["shape"] == "stack" else min(open_))
        return [" ".join(letter for place, letter in puts if place not in gone)]
