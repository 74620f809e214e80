"""The Batch API: the same requests, sent as files, for about half the price and within a day. Their replies go to the same log.

`BatchLine` sends calls, as the ordinary sender does. Calls that wait at the same time become one batch, and each waits for its own answer.
Repeating calls, adding up their cost and logging them stays in `synth.ask.answering`.

A batch outlives its command. Its input file is kept in `batches/` beside the log, named by the digest of its calls, and the batch carries
that digest as metadata. The next command finds the file, looks for the batch, and logs its answers (`collect`) before it asks anything. If
the endpoint does not know the batch, the calls were never sent.

Results come in any order, in a file of answers and a file of errors. A call may be repeated if neither file mentions it, or if it expired.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai

from synth.ask.answering import Arrival
from synth.ask.completion import ErrorBody, read_error
from synth.ask.desk import Desk
from synth.ask.failures import Failure, Where, failure_of

MOST_BYTES = 190 << 20
"""Endpoints take files of 200 MB."""
_FOLDER = "batches"
_TOGETHER = 0.5
"""The waiting calls are sent after this many seconds without a new one."""
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_MARK = "calls"
_LISTED = 100


@dataclass
class BatchLine:
    """Sends calls through the Batch API of an endpoint; `folder` keeps the input files of batches under way."""

    client: openai.AsyncOpenAI
    where: Where
    folder: Path
    most: int
    poll: float
    _waiting: dict[str, tuple[bytes, asyncio.Future[Arrival]]] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, call: str, body: Mapping[str, Any]) -> Arrival:
        """Send one call with the next batch, and return its answer. Raises Failure."""
        loop = asyncio.get_running_loop()
        line = {"custom_id": call, "method": "POST", "url": "/v1/chat/completions", "body": body}
        coming: asyncio.Future[Arrival] = loop.create_future()
        self._waiting[call] = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n", coming
        if self._timer is not None:
            self._timer.cancel()
        full = len(self._waiting) >= self.most or sum(len(written) for written, _ in self._waiting.values()) > MOST_BYTES
        self._timer = loop.call_later(0.0 if full else _TOGETHER, self._flush)
        return await coming

    def _flush(self) -> None:
        together, self._waiting = self._waiting, {}
        if together:
            task = asyncio.ensure_future(self._batch(together))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _batch(self, together: Mapping[str, tuple[bytes, asyncio.Future[Arrival]]]) -> None:
        """Send calls as one batch, and give each call its answer. If the batch fails, each call fails."""
        failure = Failure("server", f"a batch at {self.where.address} ended without an answer to this call")
        try:
            file = self._written(b"".join(line for line, _ in together.values()))
            async for call, outcome in self._results(await self._created(file), file):
                coming = together[call][1] if call in together else None
                if coming is not None and not coming.done():
                    coming.set_exception(outcome) if isinstance(outcome, Failure) else coming.set_result(outcome)
                await asyncio.sleep(0)  # the one who waits logs it now, before the next is read and before the file goes
            file.unlink()
        except Failure as broken:
            failure = broken
        except openai.APIStatusError as error:
            failure = failure_of(error.status_code, read_error(error.response.content), error.response.headers, self.where)
        except Exception as error:  # whatever breaks on the way is a failure of these calls, for somebody waits for each
            failure = Failure("server", f"{self.where.address} cannot be reached or broke off: {error.__cause__ or error}")
        for _, coming in together.values():
            if not coming.done():
                coming.set_exception(failure)

    def _written(self, lines: bytes) -> Path:
        """Write the input file of a batch."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{hashlib.sha256(lines).hexdigest()}.jsonl"
        half = file.with_suffix(".tmp")
        half.write_bytes(lines)
        half.rename(file)
        return file

    async def _created(self, file: Path) -> str:
        with file.open("rb") as lines:
            sent = await self.client.files.create(file=lines, purpose="batch")
        made = await self.client.batches.create(
            input_file_id=sent.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={_MARK: file.stem}
        )
        return made.id

    async def _results(self, batch: str, file: Path) -> AsyncIterator[tuple[str, Arrival | Failure]]:
        """Wait for a batch to end, and yield the outcome of each call. Raises Failure if the whole batch was refused."""
        while (told := await self.client.batches.retrieve(batch)).status not in _ENDED:
            await asyncio.sleep(self.poll)
        if told.status == "failed" and not told.output_file_id:
            file.unlink()
            faults = (told.errors.data if told.errors is not None else None) or []
            said = ErrorBody(str(faults[0].code or ""), str(faults[0].message or "")) if faults else ErrorBody("", "the batch failed")
            raise failure_of(400, said, {}, self.where)
        for name in (told.output_file_id, told.error_file_id):
            if name:
                place = file.with_suffix(".results")
                async with self.client.files.with_streaming_response.content(name) as content:
                    await content.stream_to_file(place)
                with place.open("rb") as lines:
                    for line in lines:
                        outcome = _outcome(line, self.where)
                        if outcome is not None:
                            yield outcome
                place.unlink()

    async def collect(self, desk: Desk) -> None:
        """Log the answers of batches that earlier commands left behind. Raises Failure."""
        for file in sorted(self.folder.glob("*.jsonl")):
            missing = {str(json.loads(line)["custom_id"]) for line in file.read_bytes().splitlines()}
            batch = await self._found(file.stem)
            if batch is not None:
                desk.tell(f"{self.where.address}: batch {batch} of an ended command is under way or done; its answers are used")
                async for call, outcome in self._results(batch, file):
                    if isinstance(outcome, Arrival) and outcome.status == 200 and call in missing:
                        missing.remove(call)
                        desk.record.late(call, outcome.body.decode("utf-8", "replace"))
            for call in missing:
                desk.budget.spent -= desk.record.late(call, None)
            file.unlink(missing_ok=True)

    async def _found(self, mark: str) -> str | None:
        """Return the batch of an input file, if the endpoint knows one."""
        async for batch in self.client.batches.list(limit=_LISTED):
            if (batch.metadata or {}).get(_MARK) == mark:
                return batch.id
        return None


def _outcome(line: bytes, where: Where) -> tuple[str, Arrival | Failure] | None:
    """Read a line of results: the call and its answer, or its failure; None if it cannot be read."""
    try:
        told = json.loads(line)
        call, response, error = str(told["custom_id"]), told.get("response"), told.get("error")
        if isinstance(response, Mapping):
            return call, Arrival(int(response["status_code"]), {}, json.dumps(response.get("body"), ensure_ascii=False).encode())
        said = error if isinstance(error, Mapping) else {}
        if said.get("code") == "batch_expired":
            return call, Failure("timeout", "the batch expired before this call was answered; the next one asks it again")
        return call, failure_of(400, ErrorBody(str(said.get("code") or ""), str(said.get("message") or error)), {}, where)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
