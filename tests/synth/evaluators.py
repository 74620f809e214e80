"""An evaluator that shares no code with the families: for each, the answer from the facts that a problem states, by a way of its own.

It also judges the language of a text: articles, plurals, repeated sentences, and the truth of sums, with regular expressions of its own.
"""

import itertools
import re
import sqlite3
import statistics
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil, comb, dist, factorial, floor, gcd, lcm, prod, sqrt
from typing import Any

import networkx

Facts = Mapping[str, Any]
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_COUNT = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def arithmetic_story(f: Facts) -> Any:
    return f["start"] + sum((1 if move[0].startswith("more") else -1) * prod(move[1:]) for move in f["moves"])


def percentages(f: Facts) -> Any:
    if f["shape"] == "share":
        return Fraction(f["amount"] * f["share"], 100)
    return f["amount"] * prod((Fraction(100 + (p if kind == "rise" else -p), 100) for kind, p in f["moves"]), start=Fraction(1))


def fractions_of_wholes(f: Facts) -> Any:
    return f["total"] * prod((1 - Fraction(a, b) for _, a, b, _ in f["moves"]), start=Fraction(1))


def counting(f: Facts) -> Any:
    return prod(f["sizes"]) if f["shape"] == "menu" else factorial(f["row"])


def probability(f: Facts) -> Any:
    good, whole = f["holds"][0][1], sum(count for _, count in f["holds"])
    assert f["holds"][0][0] == f["wanted"]
    if f["shape"] == "kept":
        return Fraction(comb(good, 2), comb(whole, 2))
    return Fraction(good, whole) ** (2 if f["shape"] == "back" else 1)


def date_arithmetic(f: Facts) -> Any:
    if f["shape"] == "weekday":
        return _DAYS[(_DAYS.index(f["weekday"]) + f["days"]) % 7]
    reached = date(2025, _MONTHS.index(f["month"]) + 1, f["day"]) + timedelta(days=f["days"])
    return f"{reached.day} {_MONTHS[reached.month - 1]}"


def area_with_gaps(f: Facts) -> Any:
    return f["long"] * f["wide"] - sum(a * b for _, a, b in f["holes"])


def pythagoras(f: Facts) -> Any:
    side = sqrt(f["a"] ** 2 + f["b"] ** 2) if f["shape"] == "long" else sqrt(f["c"] ** 2 - f["a"] ** 2)
    assert side == int(side)
    return int(side)


def greatest_common_divisor(f: Facts) -> Any:
    return gcd(f["large"], f["small"])


def linear_equations(f: Facts) -> Any:
    return f"{f['letter']} = {Fraction(f.get('c', f.get('e', 0)) - f['b'], f['a'] - f.get('d', 0))}"


def quadratic_equations(f: Facts) -> Any:
    root = int(sqrt(f["p"] ** 2 - 4 * f["q"]))
    return " or ".join(f"{f['letter']} = {(-f['p'] + sign * root) // 2}" for sign in (-1, 1))


def ratios(f: Facts) -> Any:
    if "total" in f:
        return Fraction(f["total"] * f["b"], f["a"] + f["b"])
    return Fraction(f["known"] * f["b"], f["a"])


def sequences(f: Facts) -> Any:
    a, *_ = t = f["terms"]
    at = len(t) + _COUNT.index(f["ahead"]) - 1
    if f["shape"] == "multiplies":
        return a * Fraction(t[1], a) ** at
    return a + at * (t[1] - a) + at * (at - 1) // 2 * (t[2] - 2 * t[1] + a)


def unit_conversion(f: Facts) -> Any:
    pairs = {"centimetre metre": 100, "minute hour": 60, "second minute": 60, "millimetre centimetre": 10}
    factor = pairs.get(f"{f['small']} {f['large']}", 1000)
    if f["shape"] == "mixed":
        return f["count"] * (f["whole"] * factor + f["rest"])
    return Fraction(f["count"] * f["size"], factor)


def shortest_path(f: Facts) -> Any:
    graph = networkx.Graph()
    graph.add_weighted_edges_from(f["roads"])
    return f"{networkx.shortest_path_length(graph, f['start'], f['goal'], weight='weight')} km"


def sorting_trace(f: Facts) -> Any:
    numbers, passes = list(f["numbers"]), _COUNT.index(f["passes"])
    for at in range(passes):
        if f["shape"] == "insertion":
            place = at + 1
            while place and numbers[place - 1] > numbers[place]:
                numbers[place - 1 : place + 1] = numbers[place], numbers[place - 1]
                place -= 1
        else:
            least = numbers.index(min(numbers[at:]))
            numbers[at], numbers[least] = numbers[least], numbers[at]
    return str(numbers)


def truth_tables(f: Facts) -> Any:
    letters, count = f["letters"], len(f["letters"])
    cases = [dict(zip(letters, ((number >> at) & 1 for at in range(count)), strict=True)) for number in range(2**count)]
    return _COUNT[sum(bool(eval(f["statement"], {}, case)) for case in cases)]


def program_tracing(f: Facts) -> Any:
    scope: dict[str, Any] = {}
    exec(f["program"], scope)
    return scope[f["function"]](list(f["values"]))


def least_common_multiple(f: Facts) -> Any:
    return lcm(*f["periods"])


def modular_arithmetic(f: Facts) -> Any:
    return pow(f["a"], f["p"], f["m"]) if f["shape"] == "power" else (f["a"] * f["b"] + f["c"]) % f["m"]


def number_bases(f: Facts) -> Any:
    if f["shape"] == "from":
        return int(f["digits"].replace(" ", ""), f["base"])
    places = [f["base"] ** at for at in range(12) if f["base"] ** at <= f["number"]]
    return " ".join(str(f["number"] // place % f["base"]) for place in reversed(places))


def mixtures(f: Facts) -> Any:
    return Fraction(f["a"] * f["p"] + f["b"] * f["q"], f["a"] + f["b"])


def interest(f: Facts) -> Any:
    rate = Fraction(f["rate"], 100)
    return f["sum"] * ((1 + rate) ** f["years"] if f["shape"] == "compound" else 1 + rate * f["years"])


def linear_systems(f: Facts) -> Any:
    return Fraction(f["s"] * f["d"] - f["t"] * f["b"], f["a"] * f["d"] - f["b"] * f["c"])


def inequalities(f: Facts) -> Any:
    exact = Fraction(f["bound"] - f["fixed"], f["each"])
    return ceil(exact) if f["shape"] == "least" else floor(exact)


def polynomials(f: Facts) -> Any:
    return sum(c * f["x"] ** at for at, c in enumerate(f["coefficients"][::-1]))


def means(f: Facts) -> Any:
    if f["shape"] == "missing":
        return f["count"] * f["mean"] - sum(f["values"])
    return Fraction(getattr(statistics, f["shape"])([Fraction(value) for value in f["values"]]))


def expected_value(f: Facts) -> Any:
    return sum(Fraction(amount * count, f["total"]) for amount, count in f["prizes"]) - f.get("stake", 0)


def bayes(f: Facts) -> Any:
    have, hit, false = (Fraction(f[name], 100) for name in ("have", "hit", "false"))
    return have * hit / (have * hit + (1 - have) * false)


def sets(f: Facts) -> Any:
    if f["shape"] == "both":
        return f["a"] + f["b"] + f["none"] - f["total"]
    either = f["a"] + f["b"] - f["both"]
    return either if f["shape"] == "either" else f["total"] - either


def syllogisms(f: Facts) -> Any:
    valid = {"AAA-1", "AEE-1", "IAI-1", "IEO-1", "EIO-3", "AOO-4", "AAI-5"}
    names = {
        ("all A are B", "all B are C", "all A are C"): "AAA-1",
        ("all A are B", "no B are C", "no A are C"): "AEE-1",
        ("some A are B", "all B are C", "some A are C"): "IAI-1",
        ("some A are B", "no B are C", "some A are not C"): "IEO-1",
        ("no A are B", "some C are B", "some C are not A"): "EIO-3",
        ("all A are B", "some C are not B", "some C are not A"): "AOO-4",
        ("all B are A", "all B are C", "some A are C"): "AAI-5",
    }
    follows = names.get((f["first"], f["second"], f["conclusion"])) in valid
    told = f["conclusion"].translate(str.maketrans(dict(zip("ABC", f["kinds"], strict=True))))
    return f"it {'follows' if follows else 'does not follow'} that {told}"


def knights_and_knaves(f: Facts) -> Any:
    people = f["people"]
    for case in itertools.product("TF", repeat=len(people)):
        kind = dict(zip(people, case, strict=True))
        truth = {"is a knight": lambda s, o: o == "T", "is a knave": lambda s, o: o == "F", "is of my kind": lambda s, o: s == o}
        truth["is not of my kind"] = lambda s, o: s != o
        if all(truth[claim](kind[s], kind[o]) == (kind[s] == "T") for s, claim, o in f["claims"]):
            told = [f"{person} is a {'knight' if kind[person] == 'T' else 'knave'}" for person in people]
            return f"{', '.join(told[:-1])} and {told[-1]}"
    return None


def ordering_clues(f: Facts) -> Any:
    order = list(networkx.topological_sort(networkx.DiGraph([tuple(pair) for pair in f["pairs"]])))
    return order[("first", "second", "third", "fourth", "fifth").index(f["place"])]


def scheduling(f: Facts) -> Any:
    graph = networkx.DiGraph()
    for name, length, needs in f["tasks"]:
        graph.add_weighted_edges_from([("start", name, length), *((need, name, length) for need in needs)])
    return networkx.dag_longest_path_length(graph)


def breadth_first_search(f: Facts) -> Any:
    return _COUNT[networkx.shortest_path_length(networkx.Graph([tuple(link) for link in f["links"]]), "A", f["goal"])]


def binary_search(f: Facts) -> Any:
    low, high, looks = 0, len(f["numbers"]), 0
    while low < high:
        looks, middle = looks + 1, (low + high - 1) // 2
        if f["numbers"][middle] == f["sought"]:
            return _COUNT[looks]
        low, high = (low, middle) if f["numbers"][middle] > f["sought"] else (middle + 1, high)
    return None


def stacks(f: Facts) -> Any:
    held: deque[str] = deque()
    for move in f["moves"]:
        if move[0] == "put":
            held.append(move[1])
        elif f["shape"] == "stack":
            held.pop()
        else:
            held.popleft()
    return " ".join(held)


def recursion(f: Facts) -> Any:
    scope: dict[str, Any] = {}
    exec(f["program"], scope)
    return scope[f["name"]](f["argument"])


def coordinates(f: Facts) -> Any:
    (a, b), (c, d) = f["one"], f["other"]
    if f["shape"] == "middle":
        return f"({(a + c) // 2}, {(b + d) // 2})"
    return Fraction(d - b, c - a) if f["shape"] == "slope" else int(dist((a, b), (c, d)))


def similar_triangles(f: Facts) -> Any:
    return Fraction(f["a"] * f["c"], f["b"])


def clocks(f: Facts) -> Any:
    if f["shape"] == "later":
        moment = datetime(2025, 1, 1, f["hour"], f["minute"]) + timedelta(minutes=f["span"])
        return f"{moment.hour}:{moment.minute:02d}"
    angle = abs(Fraction(f["hour"] % 12 * 60 + f["minute"], 2) - 6 * f["minute"])
    return min(angle, 360 - angle)


def density(f: Facts) -> Any:
    base = f["a"] * f["b"]
    if f["shape"] == "mass":
        return base * f["c"] * f["density"]
    return Fraction(f["mass"], base * (f["c"] if f["shape"] == "density" else f["density"]))


def speed(f: Facts) -> Any:
    if f["shape"] == "meet":
        return Fraction(f["way"], f["v"] + f["w"])
    return Fraction(f["v"] * f["s"] + f["w"] * f["t"], f["s"] + f["t"])


def string_edits(f: Facts) -> Any:
    word = f["word"]
    for kind, *given in f["edits"]:
        word = {
            "reverse": "".join(reversed(word)), "first_to_end": f"{word[1:]}{word[:1]}", "drop_last": word[: len(word) - 1],
            "replace": re.sub(given[0], given[1], word) if len(given) == 2 else "", "double_first": f"{word[:1]}{word}",
            "insert_front": f"{''.join(given)}{word}",
        }[kind]  # fmt: skip
    return f"`{word}`"


def table_queries(f: Facts) -> Any:
    found = sqlite3.connect(":memory:")
    found.execute(f"CREATE TABLE {f['table']} ({f['names'][0]} TEXT, {f['names'][1]} TEXT, {f['names'][2]} INTEGER)")
    found.executemany(f"INSERT INTO {f['table']} VALUES (?, ?, ?)", f["rows"])
    what = "COUNT(*)" if f["shape"].startswith("count") else f"SUM({f['names'][2]})"
    where = f"{f['names'][2]} > {f['bound']}" if "bound" in f else f"{f['names'][1]} = '{f['group']}'"
    value = found.execute(f"SELECT {what} FROM {f['table']} WHERE {where}").fetchone()[0] or 0
    found.close()
    return value


def regular_expressions(f: Facts) -> Any:
    return ", ".join(f"`{word}`" for word in f["words"] if re.match(rf"(?:{f['pattern']})\Z", word))


def unit_tests(f: Facts) -> Any:
    scope: dict[str, Any] = {}
    exec(f["program"], scope)
    k = f.get("k", 0)
    right = {
        "bound": lambda n: 1 if n >= k else 0, "below": lambda n: n if n < k else k, "double": lambda n: n * (2 if n <= k else 1),
        "gap": lambda n: abs(k - n), "even": lambda n: n + 1 if n % 2 else n // 2, "rest": lambda n: divmod(n, k)[1],
        "cap": lambda n: min(30, k + n),
    }[f["kind"]]  # fmt: skip
    (only,) = [value for value in f["inputs"] if scope[f["name"]](value) != right(value)]
    return only


def evaluator(topic: str) -> Callable[[Facts], Any]:
    found: Callable[[Facts], Any] = globals()[topic]
    return found


def answers(stated: str, true: Any) -> bool:
    """Return whether an answer states a value: it is these words, or its only number is that number."""
    if isinstance(true, str):
        return stated.rstrip(".") == true
    numbers = re.findall(r"-?\d+(?:\.\d+|/\d+)?", stated)
    return len(numbers) == 1 and Fraction(numbers[0]) == true


_TERM = r"(?:\(-?\d[\d./]*\)|\d[\d.]*(?:/\d+)?)"
_LEFT = re.compile(rf"(?:^|(?<=[\s(]))(-?{_TERM}(?: [-+×÷] {_TERM})+)$")
_RIGHT = re.compile(r" = (-?\d+(?:[./]\d+)?)(?![\w²/(])(?! [-+×÷])")


def false_sums(text: str) -> list[str]:
    """Return the sums of plain numbers in a text that are not true."""
    wrong = []
    for right in _RIGHT.finditer(text):
        left = _LEFT.search(text[max(0, right.start() - 80) : right.start()])
        if left is not None:
            source = re.sub(r"(\d+(?:\.\d+)?)", r'F("\1")', left[1].replace("×", "*").replace("÷", "/"))
            if eval(source, {"F": Fraction}) != Fraction(right[1]):
                wrong.append(left[1] + right[0])
    return wrong


_AN_BEFORE_CONSONANT = re.compile(r"\b[Aa]n (?!hour|honest|heir|8|11\b|18\b)[^aeiouAEIOU\W]\w*")
_A_BEFORE_VOWEL = re.compile(r"\b(?<![-'])a (?!one\b|once\b|uni|use|usu|eu|ewe)[aeiouAEIOU]\w+")
_VERBS = "less gives is was has plus times minus as goes slides passes takes changes stands keeps needs fits meets comes moves stays leaves"
_UNITS = "euro|hour|day|metre|kilometre|litre|kilogram|gram|minute|roll|book|apple|ticket|step|part|box"
_ONE_MANY = re.compile(rf"(?<![\w.,/×÷+=-] )(?<![\w.,/-])1 (?:more )?(?!(?:{_VERBS.replace(' ', '|')})\b)[a-z]{{2,}}[^su\W]s\b")
_MANY_ONE = re.compile(rf"(?<![\w.,/])(?:[2-9]|[1-9]\d+) (?:{_UNITS})\b(?!-)")


def language_faults(text: str) -> list[str]:
    """Return articles and plurals that are wrong, and doubled words."""
    text = re.sub(r"```.*?```|`[^`]*`", "CODE", text, flags=re.DOTALL)
    found = [match[0] for pattern in (_AN_BEFORE_CONSONANT, _A_BEFORE_VOWEL, _ONE_MANY, _MANY_ONE) for match in pattern.finditer(text)]
    found += [match[0] for match in re.finditer(r"(?i)\b([a-z]{2,}) \1\b", text) if match[1] not in ("that", "had")]
    return found + re.findall(r"[{}\[]\w*[|}]|  |\. \.| [,.;:](?!\d)|\.\.(?!\.)", text)


def repeated_sentences(text: str) -> list[str]:
    """Return the sentences of a solution that it says twice."""
    sentences = [sentence.strip() for sentence in re.split(r"(?<=[.!?])\s+|\n+", text)]
    counted = Counter(sentence for sentence in sentences if len(sentence) > 12 and not sentence.startswith("|"))
    return [sentence for sentence, count in counted.items() if count > 1]
