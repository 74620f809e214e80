"""Mass, volume and density. The second way weighs cube by cube."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, div, mul


class Density(Family):
    """The mass of a block, the density from a weighing, or the volume."""

    about = "density, mass and volume"
    knobs = by_level(side=(4, 6, 8, 10, 12), kinds=(1, 2, 3, 3, 3))
    slips = ("divides", "forgets_side")
    largest = 100_000

    def draw(self, chance: Chance) -> Values:
        """Draw a material and a block."""
        world = chance.of_world("materials")
        a, b, c = (chance.between(2, chance.knob.side) for _ in "abc")
        facts = {"material": world["material"], "thing": chance.choice(world["things"]), "who": chance.person()}
        shape = ("mass", "density", "length")[chance.between(0, chance.knob.kinds - 1)]
        mass = a * b * c * world["density"]
        if shape == "mass":
            return {**facts, "shape": shape, "a": a, "b": b, "c": c, "density": world["density"]}
        if shape == "density":
            return {**facts, "shape": shape, "a": a, "b": b, "c": c, "mass": mass}
        return {**facts, "shape": shape, "a": a, "b": b, "mass": mass, "density": world["density"]}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Find the volume, then multiply or divide."""
        a, b, shape = facts["a"], facts["b"], facts["shape"]
        if shape == "length":
            if slip:
                return
            yield (volume := div("the volume", facts["mass"], facts["density"], unit="cubic centimetre"))
            yield (base := mul("the area of the base", a, b, unit="square centimetre"))
            yield div("the height", volume.value, base.value, unit="centimetre")
            return
        volume = mul("the volume", a, b, *(() if slip == "forgets_side" else (facts["c"],)), unit="cubic centimetre")
        if shape == "mass" and slip != "divides":
            yield volume
            yield mul("the mass", volume.value, facts["density"], unit="gram")
        elif shape == "density" and slip != "divides" and facts["mass"] % volume.value == 0:
            yield volume
            yield div("the density", facts["mass"], volume.value, unit="gram per cubic centimetre")
        elif shape == "density" and slip == "divides":
            yield volume
            yield mul("the density", facts["mass"], volume.value, unit="gram per cubic centimetre")

    def recheck(self, facts: Facts) -> list[str]:
        """Count cubes of one centimetre."""
        base = sum(1 for _ in range(facts["a"]) for _ in range(facts["b"]))
        if facts["shape"] == "mass":
            return [str(sum(facts["density"] for _ in range(base) for _ in range(facts["c"])))]
        if facts["shape"] == "density":
            return [str(next(d for d in range(1, 100) if sum(d for _ in range(base) for _ in range(facts["c"])) == facts["mass"]))]
        layers = 0
        while sum(facts["density"] for _ in range(base)) * layers < facts["mass"]:
            layers += 1
        return [str(layers)]
