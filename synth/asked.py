"""Asked: the passes over a recipe's questions that send what is missing, and then read what is there, part by part.

A pass draws all questions again, so none needs to be kept. The first pass counts what is missing and digests what is known; if something is
missing, a pass for each teacher sends it. Then the passes begin anew, because a task may ask more after a reply. When nothing is missing,
the digests are those of the units of stage 6-replies: the keys of requests, and the digests of replies, never their cost or the number of
attempts.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby

from curation.counting import counted
from curation.engine.stage import Unit
from curation.errors import Refused
from synth.ask.asking import ask_all
from synth.ask.desk import Desk
from synth.ask.key_table import KeyTable
from synth.ask.reply_log import ReplyLog
from synth.ask.teacher import Reply, Request, Teacher
from synth.questions import Conversation, Question, converse, questions
from synth.router import Router
from synth.spending import Spending
from synth.task import Seed, Task

PART_REQUESTS = 5000
"""Questions in one shard."""


class Asked:
    """The questions of a recipe, and the log of their replies."""

    def __init__(self, router: Router, tasks: Sequence[Task], seeds: Sequence[Seed], log: ReplyLog) -> None:
        """Take what the questions depend on."""
        self._router, self._tasks, self._seeds, self._log = router, tasks, seeds, log
        self._tried = KeyTable()
        self._cursor: tuple[int, Iterator[tuple[int, Iterator[Question]]]] = (0, iter(()))
        self.count, self.spending = 0, Spending()

    def complete(self, desk: Desk) -> list[Unit]:
        """Send whatever is missing until nothing is, and return the units of the replies. Raises Refused."""
        while True:
            missing, units = self._survey()
            if not missing:
                return units
            for teacher, count in missing.items():
                tell = f"{teacher.label}: asking for {counted(count, 'reply', 'replies')}, {len(self._log)} are in the log already"
                desk.tell(tell)
                ask_all(teacher, self._missing(teacher), count, self._log, desk)
            self._log.sync()

    def require_answered(self) -> None:
        """Raise Refused if a question has no reply: sending it would cost something."""
        missing, _ = self._survey()
        if missing:
            many = counted(sum(missing.values()), "reply", "replies")
            raise Refused(f"--frozen: {many} of this recipe's questions are missing; without --frozen they are asked for")

    def part(self, number: int) -> Iterator[tuple[Question, Conversation]]:
        """Yield the questions of a part, with their conversations. Parts that are asked for in order cost one pass together."""
        at, parts = self._cursor
        if number < at or at == 0:
            parts = self._parts()
        for place, part in parts:
            if place == number:
                self._cursor = (number + 1, parts)
                for question in part:
                    yield question, converse(question, self._known)
                return

    def _parts(self) -> Iterator[tuple[int, Iterator[Question]]]:
        return groupby(questions(self._router, self._tasks, self._seeds), lambda question: question.number // PART_REQUESTS)

    def _survey(self) -> tuple[dict[Teacher, int], list[Unit]]:
        """Count what is missing for each teacher, and digest what is known into units."""
        missing: dict[Teacher, int] = {}
        units = []
        self.count, self.spending = 0, Spending()
        for number, part in self._parts():
            asked, said, replies = (hashlib.sha256() for _ in range(3))
            for question in part:
                self.count += 1
                conversation = converse(question, self._known)
                if conversation.missing:
                    missing[conversation.teacher] = missing.get(conversation.teacher, 0) + len(conversation.missing)
                self.spending.add(question, conversation)
                for request, reply in conversation.exchanges:
                    asked.update(request.key.encode())
                    replies.update(reply.digest.encode())
                climbed = f"{conversation.tries}\n" if len(question.ladder) > 1 else ""
                said.update(f"{climbed}{conversation.teacher.label}\n{question.draft.template}\n{question.draft.seed_ids}\n".encode())
            extra = {"requests": asked.hexdigest(), "said": said.hexdigest(), "replies": replies.hexdigest()}
            units.append(Unit(f"synthetic-{number:05d}", extra=extra))
        return missing, units

    def _missing(self, teacher: Teacher) -> Iterator[Request]:
        """Yield the requests that a teacher still has to answer, each once."""
        for question in questions(self._router, self._tasks, self._seeds):
            if teacher in question.ladder:
                conversation = converse(question, self._known)
                for request in conversation.missing if conversation.teacher == teacher else ():
                    if self._tried.get(request.key) is None:
                        self._tried.put(request.key, 1)
                        yield request

    def _known(self, request: Request) -> Reply | None:
        """Return the final reply to a request, or, once it was tried by this command, the last one."""
        key = request.key
        if self._log.answered(key) or (self._tried.get(key) is not None and self._log.holds(key)):
            return self._log.get(key)
        return None
