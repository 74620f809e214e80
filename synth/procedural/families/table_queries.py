"""Questions to a small table: which rows, and what to count or add. The second way filters whole columns."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, add, state


class TableQueries(Family):
    """A filter on one column or two, and a count, a sum or a largest value."""

    about = "queries of tables, as in SQL"
    knobs = by_level(rows=(4, 5, 6, 7, 8), most=(20, 30, 50, 90, 120))
    slips = ("ignores_filter", "includes_bound")

    def draw(self, chance: Chance) -> Values:
        """Draw rows, a bound that one of them meets, and a question."""
        world = chance.of_world("tables")
        items = chance.sample(world["items"], chance.knob.rows)
        rows = [[name, chance.choice(world["groups"]), chance.between(2, chance.knob.most)] for name in items]
        bound = chance.choice(rows)[2]
        group = chance.choice(rows)[1]
        facts = {"rows": rows, "group": group, "names": world["names"], "table": world["table"], "who": chance.person()}
        shape = chance.choice(("count", "sum"))
        if chance.level < 3 or chance.chances(0.5):
            return {**facts, "shape": shape, "bound": bound}
        return {**facts, "shape": f"{shape}_group"}

    def words(self, facts: Facts) -> Values:
        """Return the table, and the query in SQL."""
        names = facts["names"]
        head = f"| {' | '.join(names)} |\n| --- | --- | --- |\n"
        where = f"{names[2]} > {facts['bound']}" if "bound" in facts else f"{names[1]} = '{facts['group']}'"
        what = "COUNT(*)" if facts["shape"].startswith("count") else f"SUM({names[2]})"
        grid = head + "\n".join(f"| {a} | {b} | {c} |" for a, b, c in facts["rows"])
        return {"grid": grid, "query": f"SELECT {what} FROM {facts['table']} WHERE {where}", "column": names[2]}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Decide row by row, then count or add."""
        kept, limit = list[int](), facts.get("bound")
        if slip == "includes_bound" and limit is None:
            return
        for name, group, value in facts["rows"]:
            fits = slip == "ignores_filter" or (group == facts["group"] if limit is None else value >= limit if slip else value > limit)
            told = f"its group is {group}" if limit is None else f"its value is {value}"
            yield state(f"the row {name}", f"{name} {'fits' if fits else 'does not fit'}, because {told}", "row")
            kept += [value] if fits else []
        if facts["shape"].startswith("count"):
            yield state("the number of rows", f"the number of rows that fit is {len(kept)}", "result", value=str(len(kept)))
        elif len(kept) > 1:
            yield add("the sum", *kept)
        else:
            yield state("the sum", f"the sum over the rows that fit is {sum(kept)}", "result", value=str(sum(kept)))

    def recheck(self, facts: Facts) -> list[str]:
        """Compute a mask over the columns, then the result from the rows that it keeps."""
        names, groups, values = zip(*facts["rows"], strict=True)
        mask = [value > facts["bound"] for value in values] if "bound" in facts else [group == facts["group"] for group in groups]
        told = [f"{name} {'fits' if fits else 'does not fit'}" for name, fits in zip(names, mask, strict=True)]
        kept = [1 if facts["shape"].startswith("count") else value for value, fits in zip(values, mask, strict=True) if fits]
        return [*told, str(sum(kept))]
