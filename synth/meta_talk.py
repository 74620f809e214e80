"""Meta talk: a model speaks about itself or its instructions, or declines, instead of doing the task.

The phrases are about the speaker and the assignment, never about a subject, so that a text about language models does not match.
"""

import re

from synth.task import Rejected

_PHRASES = re.compile(
    r"\bas an? (?:ai|artificial intelligence|large language model|language model)\b"
    r"|\bi(?: am|'m|’m) (?:sorry|unable to|not able to|an ai)\b"
    r"|\bi (?:cannot|can't|can’t|will not|won't) (?:assist|help|comply|provide|fulfil|answer|create|generate|write)\b"
    r"|\b(?:here is|here's|here’s) (?:your|the requested|a json|the json)\b"
    r"|\b(?:the|your) (?:prompt|system message|instructions) (?:asks?|says?|above|tells?)\b"
    r"|\bi hope this helps\b|\blet me know if you\b|\bcertainly! |\bsure! ",
    re.IGNORECASE,
)


def refuse_meta_talk(*texts: str) -> None:
    """Raise Rejected (`meta_talk`) if a text speaks about its own making."""
    for text in texts:
        found = _PHRASES.search(text)
        if found is not None:
            raise Rejected("meta_talk", {"matched": found[0]})
