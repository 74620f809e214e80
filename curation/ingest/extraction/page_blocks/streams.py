"""Streamed content: React sends parts late, in `<div hidden id="S:0">`, and moves each to the position of `<template id="B:0">`.

A browser shows the content between such a template and the comment `<!--/$-->` until the part arrives ("Loading"), and then removes it. A
page that was saved before its scripts ran still has the parts at its end.

Source: React's streaming server renderer (`completeBoundary`, `completeSegment`).
"""

from typing import Any

_OPENS = ("$", "$?", "$!", "$~", "&")
_CLOSES = ("/$", "/&")
_MOST_WAITING = 50


def place_streamed(body: Any) -> None:
    """Move streamed parts to their places, in order of arrival; a part's own places are filled next."""
    parts = {_number(part): part for part in body.query_selector_all("[hidden][id*='S:'], [style*='none'][id*='S:']")[:]}
    for template in body.query_selector_all("template[id*='B:'], template[id*='P:']")[:]:
        part = parts.pop(_number(template), None)
        if part is None:
            continue
        if "B:" in str(template.getattr("id")):
            _drop_waiting(template)
        for child in part.child_nodes[:]:
            template.parent.insert_before(child, template)
        part.decompose()


def _number(node: Any) -> str:
    """Return the common part of the ids of a part and its place: "1:r" of `id="r:S:1"`."""
    before, _, number = str(node.getattr("id")).rpartition(":")
    return f"{number}:{before[:-1]}"


def _drop_waiting(template: Any) -> None:
    """Drop what is shown until the part arrives; drop nothing if its end is not marked, or far away."""
    waiting: list[Any] = []
    node, depth = template.next, 0
    while node is not None and len(waiting) < _MOST_WAITING:
        said = str(node.value or "").strip() if node.tag == "#comment" else ""
        if said in _CLOSES:
            if depth == 0:
                for one in waiting:
                    one.decompose()
                return
            depth -= 1
        depth += said in _OPENS
        waiting.append(node)
        node = node.next
