"""A task defines how a question is asked, how the answer is read and checked, and the example that it becomes.

A task is a file in `synth/tasks`, and bears its name; no list has to be changed. A sheet (`.md`) is a task without code (`synth.sheet`); a
recipe may name a sheet of the user's own. Where a sheet does not suffice, a task is a frozen dataclass in a Python file. Its fields are its
parameters; `count` is the number of examples to ask for. Tasks are pure: question `number` does not depend on other questions, and
an example depends only on the brief and the reply's text, so that a new check rereads stored replies and pays nothing.

    draft(number, seed)   the question: the brief (as data), the messages and schema (as a model sees it)
    example(brief, text)  the verified example, or Rejected with the rule it broke
    work(brief, heard)    the same for a task that asks more: a generator that yields lists of drafts, is sent the texts of their replies
                          (None where the teacher failed), and returns the example. It is replayed from the log, so that repairing, blind
                          solving, dialogues and pairs are ordinary code and a resumed run pays nothing again
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from curation.plugins import Named

AnswerVerdict = Literal["proved", "agreed", "necessary"]
"""What the checks say of an answer. It is not the verdict of *judge*, which says whether a rule drops a text.

    proved     the answer was recomputed from the facts by a second way
    agreed     blind solves gave the same answer; `Example.agreement` is their share, such as "3/3"
    necessary  quotations, numbers and names occur in the source: invented ones are caught, an argument is not proved
"""


class Rejected(Exception):
    """A reply that does not become an example: the rule it broke, and the evidence."""

    def __init__(self, rule: str, evidence: Mapping[str, Any] | None = None) -> None:
        """Take the rule's name and what shows that it holds."""
        super().__init__(rule)
        self.rule = rule
        self.evidence = dict(evidence or {})


@dataclass(frozen=True)
class Seed:
    """A kept document that an example is made from."""

    key: bytes
    id: str
    text: str


@dataclass(frozen=True)
class Draft:
    """A question before a teacher is chosen. `template` is the prompt's name and version; `difficulty` (1 to 5) routes it.

    A brief with `repair` asks for a faulty answer once more. `sample` numbers repetitions of a question in one conversation. `usual_tokens`
    is the length of a usual answer (0: unknown).
    """

    brief: Mapping[str, Any]
    messages: tuple[Mapping[str, str], ...]
    schema: Mapping[str, Any]
    template: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed_ids: tuple[str, ...] = ()
    difficulty: int = 1
    sample: int = 0
    usual_tokens: int = 0


@dataclass(frozen=True)
class Heard:
    """The text of a reply, and whether a teacher gave it that works by rule, whose facts can be trusted to be those of the problem."""

    text: str
    by_rule: bool = False


@dataclass(frozen=True)
class Example:
    """The result of a reply: text to pretrain on, the same as a conversation, the answer, the checks it passed, and their verdict."""

    text: str
    messages: tuple[Mapping[str, str], ...]
    answer: str
    verifier: str
    verdict: AnswerVerdict
    agreement: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


Work = Generator[Sequence[Draft], Sequence[str | None], Example]
"""A conversation that ends in an example; see the module's docstring."""


@dataclass(frozen=True)
class Task(Named, ABC):
    """Base class of all tasks; see the module's docstring for the contract."""

    count: int = 100
    version: ClassVar[int] = 1
    needs_seed: ClassVar[bool] = False
    asks_more: ClassVar[bool] = False
    makes_pairs: ClassVar[bool] = False
    later_calls: ClassVar[int] = 0
    """How many calls follow a first reply that is sound."""
    repairs: ClassVar[int] = 0
    """How many more may follow one that is not."""

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        if self.count < 1:
            raise ValueError(f"count = {self.count}: ask for at least one")

    def identity(self) -> Mapping[str, Any]:
        """Return what examples depend on besides the replies; not the count, because a larger one keeps finished parts unchanged."""
        return {"name": self.name(), "version": self.version, "fields": {**dataclasses.asdict(self), "count": None}}

    @abstractmethod
    def draft(self, number: int, seed: Seed | None) -> Draft:
        """Return question `number`; `seed` is a document if the task needs one."""

    def example(self, brief: Mapping[str, Any], text: str) -> Example:
        """Return the verified example of a task that asks once. Raises Rejected."""
        raise NotImplementedError(f"task {self.name()} defines neither example nor work")

    def work(self, brief: Mapping[str, Any], heard: Heard) -> Work:
        """Return the conversation after the first reply; by default there is none. The generator raises Rejected."""
        yield from ()
        return self.example(brief, heard.text)
