"""Content that a page streams: React sends parts late, in `<div hidden id="S:0">`, and moves each where `<template id="B:0">` stands.

Source: React's streaming server renderer (`completeBoundary`). A page that was saved before its scripts ran still has the parts at its end.
"""

from typing import Any


def place_streamed(body: Any) -> None:
    """Move streamed parts to their places, those that came first first; a part's own places are filled in turn."""
    parts = {str(part.getattr("id"))[2:]: part for part in body.query_selector_all("[hidden][id^='S:']")[:]}
    for template in body.query_selector_all("template[id^='B:'], template[id^='P:']")[:]:
        part = parts.pop(str(template.getattr("id"))[2:], None)
        if part is None:
            continue
        for child in part.child_nodes[:]:
            template.parent.insert_before(child, template)
        part.decompose()
