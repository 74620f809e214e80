"""Products of matrices in programs (`y = W@x.name`) look like e-mail addresses: the surrounding characters decide which one it is.

Source: PEP 465 (Python's @). Nothing here knows whether a domain exists: `state@gate.id` could be an address in Indonesia.
"""

import re

_FACTORS = re.compile(r"(?:self\.)?(?P<left>[A-Za-z_]\w*)@(?:self\.)?(?P<right>[A-Za-z_]\w*)\.(?P<attribute>[a-z]+)", re.ASCII)
_ATTRIBUTES = frozenset(
    {"as", "at", "call", "dot", "id", "in", "is", "it", "link", "map", "name", "no", "open", "prod", "read", "run", "to"}
)
"""Attributes of objects in programs that are also endings of domains."""
_OLD_DOMAINS = frozenset({"com", "net", "org", "edu"})
_EXPRESSION_BEFORE = re.compile(
    r"(?:(?P<target>[A-Za-z_][\w.]{0,30})(?:\[[^\]\n]{0,20}\])? ?(?:[-+*/@]?=|:=|<-) ?"
    r"|\b(?:return|yield|assert|elif) |\blambda [\w, ]{1,20}: |\w\(|[\w)\]] [-+*/] )\(*\Z",
    re.ASCII,
)
_EXPRESSION_AFTER = re.compile(r"\)* (?:[-+*/%@]|==) ?[\w(]|\[[\w:\"'-]", re.ASCII)
_STATEMENT_BEFORE = re.compile(r"(?:^|\n)[ \t]{0,16}(?:if|while|for \w{1,20} in)(?: not)? \Z", re.ASCII)
_STATEMENT_AFTER = re.compile(r":[ \t]{0,8}(?:\n|\Z)")
_COMPREHENSION_AFTER = re.compile(r" for \w{1,20} in \w", re.ASCII)
"""What stands around an expression in a statement (`if a@b.id:`) and in a list made of it (`[a@b.id for b in bs]`)."""
_ADDRESS_NAME = re.compile(
    r"mail|from|to\Z|cc|reply|author|contact|user|login|sender|recipient|owner|admin|support|account|addr", re.IGNORECASE
)


_OPERANDS = frozenset(
    {"basis", "bias", "cov", "emb", "gate", "gates", "grad", "hess", "hidden", "inputs", "jac", "kernel", "mat", "matrix", "outputs", "phi"}
    | {"proj", "psi", "rho", "rot", "state", "states", "tensor", "theta", "unitary", "vec", "vector", "weight", "weights"}
)
"""What matrices are called in programs, and neither people nor firms."""
_ADDRESS_BEFORE = re.compile(
    r"(?:mail|write|contact|reach|ask|account|address|sender|reply|send|user)\w*[ :`]{1,3}(?:\w{1,12}[ :]{1,2}){0,3}`\Z", re.IGNORECASE
)


def is_product(match: re.Match[str]) -> bool:
    """Return whether an address is more likely a product of two matrices (Python's @) followed by an attribute: `loss = x@w.name`,
    `a@b.id`.

    A product has two names of letters and an attribute in small letters. Two one-letter names are a product, except under the oldest
    top-level domains. Names of up to two letters, or an attribute common in programs, are a product inside an expression, or alone
    between backticks that nothing before them calls an address; two names of matrices with such an attribute are a product anywhere.
    """
    factors = _FACTORS.fullmatch(match[0])
    if factors is None:
        return False
    if len(factors["left"]) == len(factors["right"]) == 1 and factors["attribute"] not in _OLD_DOMAINS:
        return True
    if factors["attribute"] not in _ATTRIBUTES and max(len(factors["left"]), len(factors["right"])) > 2:
        return False
    if factors["attribute"] in _ATTRIBUTES and {factors["left"], factors["right"]} <= _OPERANDS:
        return True
    before = _EXPRESSION_BEFORE.search(match.string, max(0, match.start() - 64), match.start())
    is_expression = before is not None or _EXPRESSION_AFTER.match(match.string, match.end()) is not None
    is_expression = is_expression or _stands_in_code(match) or _stands_between_backticks(match)
    return is_expression and not (before and before["target"] and _ADDRESS_NAME.search(before["target"]))


def _stands_between_backticks(match: re.Match[str]) -> bool:
    """Return whether a text marks the match, and nothing else, as code, and does not say before it that it is an address."""
    string, begin, end = match.string, match.start(), match.end()
    is_marked = string[begin - 1 : begin] == "`" == string[end : end + 1]
    return is_marked and _ADDRESS_BEFORE.search(string, max(0, begin - 64), begin) is None


def _stands_in_code(match: re.Match[str]) -> bool:
    """Return whether a statement or a comprehension surrounds the match: both sides are checked, because prose may match on one side."""
    string, begin, end = match.string, match.start(), match.end()
    if _STATEMENT_AFTER.match(string, end):
        return _STATEMENT_BEFORE.search(string, max(0, begin - 64), begin) is not None
    return string[begin - 1 : begin] == "[" and _COMPREHENSION_AFTER.match(string, end) is not None
