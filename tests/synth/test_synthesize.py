"""Synthesis end to end: requests, replies, rows, rejects; the books; resume; seeds; routes; and no secret anywhere."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curation.choices import build
from curation.engine.runner import LocalRunner
from curation.engine.session import Sealed, Session
from curation.errors import RecipeError, Refused, UsageError
from curation.schema import DOCUMENTS, LEDGER, REJECTED, REJECTS
from curation.storage.location import Location
from curation.storage.record_keys import record_key
from curation.storage.shards import Shard, ShardWriter, read_shard
from synth import asked as module
from synth.ask.reply_log import FILE
from synth.offered import build_task
from synth.prompt import load_prompt
from synth.questions import Question
from synth.questions import questions as all_questions
from synth.seeds import SeedPolicy, SeedShard, choose
from synth.synthesize import SynthesisSettings, synthesize
from tests.endpoint import Answer, completion, failure, serving

KEY = "canary-51d0c2aa97"


class Listener:
    """A watcher that remembers which units were made, and what was told."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.lines: list[str] = []

    def begin(self, stage: str, units: int, reused: int) -> None:
        """Nothing to remember."""

    def advance(self, stage: str, finished: Any) -> None:
        self.made.append(f"{stage}/{finished.name}")

    def end(self, stage: str) -> None:
        """Nothing to remember."""

    def tell(self, line: str) -> None:
        self.lines.append(line)


def generate(
    out: Path,
    settings: SynthesisSettings,
    seeds: Sequence[SeedShard] = (),
    budget: float | None = None,
    replies: Path | None = None,
    workers: int = 1,
) -> tuple[Sealed, Listener]:
    listener = Listener()
    runner = LocalRunner(workers)
    try:
        with Session.open(Location.of(out), runner, watcher=listener) as session:
            return synthesize(session, seeds, settings, Location.of(replies or out / "replies"), budget), listener
    finally:
        runner.close()


def rows_of(sealed: Sealed) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    accepted = [row for shard in sealed.shards if not shard.name.endswith(REJECTED) for row in read_shard(shard).to_pylist()]
    rejected = [row for shard in sealed.shards if shard.name.endswith(REJECTED) for row in read_shard(shard).to_pylist()]
    return accepted, rejected


def questions(settings: SynthesisSettings) -> list[Question]:
    return list(all_questions(settings.router(), settings.built_tasks(), []))


def problems(count: int, **changes: Any) -> SynthesisSettings:
    return SynthesisSettings(tasks=({"name": "worked_problem", "count": count},), **changes)


def write(path: Path, schema: Any, rows: list[dict[str, Any]]) -> Shard:
    table = pa.Table.from_pylist(rows, schema)
    with ShardWriter(path.stem, Location.of(path), schema) as writer:
        writer.write(table)
    assert writer.shard is not None
    return writer.shard


def seed_shard(
    folder: Path, name: str, texts: Sequence[str], dropped: Sequence[int] = (), scores: Sequence[float] | None = None
) -> SeedShard:
    documents, ledger, signals = [], [], []
    for number, text in enumerate(texts):
        key = record_key(f"{name}-{number}", None, text.encode())
        same = {"key": key, "id": f"{name}-{number}", "source": "web", "file_path": f"{name}.jsonl", "offset": number}
        fate = "dropped" if number in dropped else "kept"
        documents.append({**same, "text": text, "text_bytes": len(text.encode()), "metadata": []})
        ledger.append({**same, "text_bytes": len(text.encode()), "fate": fate, "stage": "judge", "cluster_size": 1})
        signals.append({"key": key, "educational_score.score": scores[number] if scores else 0.0})
    measured = pa.schema([DOCUMENTS.field("key"), pa.field("educational_score.score", pa.float64())])
    return SeedShard(
        write(folder / f"{name}.parquet", DOCUMENTS, documents),
        write(folder / f"{name}-ledger.parquet", LEDGER, ledger),
        write(folder / f"{name}-signals.parquet", measured, signals) if scores else None,
    )


def passage(number: int) -> str:
    return (
        f"In the year {1800 + number} the town dug a canal of {12 + number} kilometres. Barges carried grain along it because the "
        f"roads were "
        f"deep in mud each spring. The lock keeper wrote down every passage in a ledger. "
        + "The water came from a lake in the hills. "
        * 12
    )


def grounded_reply(body: dict[str, Any], **changes: Any) -> Answer:
    text = body["messages"][-1]["content"]
    year = text.split("In the year ")[1][:4]
    reply = {
        "title": "Why a canal?",
        "question": "Why did a town with bad roads choose to build a canal for its grain?",
        "evidence": ["Barges carried grain along it because the roads were deep in mud each spring."],
        "explanation": [f"Around {year} carts would have stuck fast in spring.", "Boats do not mind mud, so grain could still travel."],
        "answer": "Because spring mud closed the roads while barges could still move.",
        **changes,
    }
    return completion(json.dumps(reply), answer=1000)


def grounded(url: str, count: int, **changes: Any) -> SynthesisSettings:
    teacher = {"name": "openai", "model": "m", "base_url": url, "key_variable": "TEST_ENDPOINT_KEY", "first_pause": 0.001, **changes}
    return SynthesisSettings(teacher=teacher, tasks=({"name": "grounded_question", "count": count},))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ENDPOINT_KEY", KEY)


def test_procedural_rows_end_to_end(tmp_path: Path) -> None:
    sealed, listener = generate(tmp_path / "out", problems(64))
    accepted, rejected = rows_of(sealed)
    assert not rejected
    assert [row["offset"] for row in accepted] == list(range(64))
    assert len({row["key"] for row in accepted}) == len({row["text"] for row in accepted}) == 64
    for row in accepted:
        facts = dict(row["metadata"])
        assert row["id"] == f"synthetic:{row['key'].hex()}"
        assert row["file_path"] == "synthetic/worked_problem"
        assert row["text"].startswith("# ")
        assert row["text_bytes"] == len(row["text"].encode())
        assert facts["origin"] == "synthetic"
        assert facts["teacher"] == "procedural"
        assert facts["answer"].casefold() in row["text"].casefold()
        user, assistant = json.loads(facts["messages"])
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        assert user["content"] in row["text"]
        assert assistant["content"] in row["text"]
        assert json.loads(facts["seed_ids"]) == []
        assert facts["template"] == "worked_problem@1"
    assert any("asking for 64" in line for line in listener.lines)


def test_the_same_command_asks_and_makes_nothing(tmp_path: Path) -> None:
    first, _ = generate(tmp_path / "out", problems(30))
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != "run.json"}
    second, listener = generate(tmp_path / "out", problems(30))
    assert first.digest == second.digest
    assert listener.made == []
    assert not any("asking" in line for line in listener.lines)
    assert before == {path: path.read_bytes() for path in before}


def test_rows_do_not_depend_on_folder_workers_or_when_they_were_asked_for(tmp_path: Path) -> None:
    whole, _ = generate(tmp_path / "a", problems(40))
    generate(tmp_path / "b", problems(15))
    grown, _ = generate(tmp_path / "b", problems(40), workers=2)
    assert whole.digest == grown.digest


def test_more_questions_leave_finished_parts_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_REQUESTS", 16)
    generate(tmp_path / "out", problems(32))
    sealed, listener = generate(tmp_path / "out", problems(48))
    assert listener.made == ["6-replies/synthetic-00002", "6-synthesize/synthetic-00002"]
    assert sealed.total("records") == 48


def test_another_runs_replies_are_used_and_extended(tmp_path: Path) -> None:
    whole, _ = generate(tmp_path / "a", problems(20))
    elsewhere, listener = generate(tmp_path / "b", problems(20), replies=tmp_path / "a" / "replies")
    assert whole.digest == elsewhere.digest
    assert not any("asking" in line for line in listener.lines)
    assert not (tmp_path / "b" / "replies").exists()


def test_a_torn_log_is_told_and_mended(tmp_path: Path) -> None:
    whole, _ = generate(tmp_path / "out", problems(20))
    log = tmp_path / "out" / "replies" / FILE
    log.write_bytes(log.read_bytes()[:-40])
    again, listener = generate(tmp_path / "out", problems(20))
    assert whole.digest == again.digest
    assert any("torn" in line for line in listener.lines)
    assert any("asking for 1 reply," in line for line in listener.lines)


def test_rows_from_seeds_and_one_fate_for_every_request(tmp_path: Path) -> None:
    seeds = [seed_shard(tmp_path, "a", [passage(n) for n in range(8)], dropped=[2])]
    wrong = {
        1: {"answer": "It was 99 kilometres long."},
        2: {"evidence": ["The king himself ordered the work to be done."]},
        3: {"question": "What does the passage say about canals?"},
        4: {"explanation": ["As an AI language model, I like canals."]},
        5: {"explanation": [passage(0)[60:300]]},
        6: {"answer": ""},
    }

    def answer(body: dict[str, Any], number: int) -> Answer:
        if number == 7:
            return failure(400, "unknown field")
        return completion("no JSON at all") if number == 8 else grounded_reply(body, **wrong.get(number, {}))

    with serving(answer) as endpoint:
        settings = grounded(endpoint.url, 14, concurrency=1)
        sealed, _ = generate(tmp_path / "out", settings, seeds)
        accepted, rejected = rows_of(sealed)
        again, _ = generate(tmp_path / "out", settings, seeds)
    assert sealed.digest == again.digest
    assert len(endpoint.bodies) == 14
    assert sorted(row["offset"] for row in [*accepted, *rejected]) == list(range(14))
    assert sealed.total("documents") + sealed.total("rejects") == sealed.total("records") == 14
    rules = {row["offset"]: row["rule"] for row in rejected}
    assert rules == {
        1: "ungrounded_number",
        2: "ungrounded",
        3: "leaks_source",
        4: "meta_talk",
        5: rules[5],
        6: "unparsable",
        7: "bad_request",
        8: "unparsable",
    }
    assert rules[5] in ("near_copy", "ungrounded_number")
    assert {row["fate"] for row in rejected if row["rule"] == "unparsable"} == {"unreadable"}
    assert {row["fate"] for row in rejected if row["rule"] != "unparsable"} == {"dropped"}
    used = {json.loads(dict(row["metadata"])["seed_ids"])[0] for row in accepted}
    assert used <= {f"a-{n}" for n in range(8)} - {"a-2"}
    schema = read_shard(next(shard for shard in sealed.shards if shard.name.endswith(REJECTED))).schema
    assert schema == REJECTS
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_a_budget_stop_leaves_the_stage_open_and_the_same_command_goes_on(tmp_path: Path) -> None:
    seeds = [seed_shard(tmp_path, "a", [passage(n) for n in range(5)])]
    with serving(lambda body, _: grounded_reply(body)) as endpoint:
        settings = grounded(endpoint.url, 10, concurrency=2, input_price=1.0, output_price=100.0)
        with pytest.raises(Refused, match="budget"):
            generate(tmp_path / "out", settings, seeds, budget=0.7)
        assert not (tmp_path / "out" / "stages" / "6-synthesize").exists()
        sent = len(endpoint.bodies)
        assert 0 < sent < 10
        sealed, _ = generate(tmp_path / "out", settings, seeds)
    assert len(endpoint.bodies) == 10
    assert sealed.total("documents") == 10
    spent = [session["synthesis"]["usd"] for session in json.loads((tmp_path / "out" / "run.json").read_text())["sessions"]]
    assert 0 < spent[0] <= 0.7
    assert spent[1] > 0


def test_a_model_answers_worked_problems_through_the_same_path(tmp_path: Path) -> None:
    good = {
        "title": "Tiles",
        "problem": "A wall has 4 rows of 6 tiles and 3 more. How many?",
        "steps": ["4 × 6 = 24.", "24 + 3 = 27 tiles."],
    }

    asked: list[Any] = []

    def answer(body: dict[str, Any], number: int) -> Answer:
        if body["messages"][-1]["content"] == good["problem"]:
            return completion(json.dumps({"steps": ["4 × 6 + 3 = 27"], "answer": "27"}))
        assert "Difficulty:" in body["messages"][-1]["content"]
        number = len(asked)
        asked.append(body)
        wrong = {1: {"steps": ["4 × 6 = 26.", "26 + 3 = 29."], "answer": "29"}, 2: {"answer": "28"}}.get(number, {})
        return completion(json.dumps({**good, "answer": "27 tiles", "expression": "4 * 6 + 3", **wrong}))

    with serving(answer) as endpoint:
        teacher = {"name": "openai", "model": "m", "base_url": endpoint.url, "key_variable": "TEST_ENDPOINT_KEY", "concurrency": 1}
        accepted, rejected = rows_of(generate(tmp_path / "out", problems(4, teacher=teacher))[0])
    assert [row["offset"] for row in accepted] == [0, 3]
    assert {row["offset"]: row["rule"] for row in rejected} == {1: "wrong_step", 2: "wrong_answer"}
    assert dict(accepted[0]["metadata"])["verifier"] == "solution@5:equations+expression+accounted+blind"
    assert dict(accepted[0]["metadata"])["teacher"] == "openai:m"


def test_routes_send_hard_questions_elsewhere(tmp_path: Path) -> None:
    route = {"tasks": ["worked_problem"], "min_difficulty": 5, "teacher": {"name": "openai", "model": "large"}}
    asked = questions(problems(200, routes=(route,)))
    labels = {(question.draft.difficulty >= 5, question.teacher.label) for question in asked}
    assert labels == {(False, "procedural"), (True, "openai:large")}


def test_the_same_question_twice_is_two_samples() -> None:
    settings = SynthesisSettings(tasks=({"name": "worked_problem", "count": 40},))
    keys = [question.request.key for question in questions(settings)]
    assert len(set(keys)) == 40


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tasks": []}, "at least one task"),
        ({"tasks": [{"name": "worked_problm"}]}, "did you mean 'worked_problem'"),
        ({"tasks": [{"name": "worked_problem", "cuont": 3}]}, "did you mean 'count'"),
        ({"tasks": [{"name": "worked_problem", "count": 0}]}, "at least one"),
        ({"tasks": [{"name": "worked_problem", "topics": ["percentagess"]}]}, "did you mean 'percentages'"),
        ({"tasks": [{"name": "worked_problem", "levels": [6]}]}, "levels"),
        ({"tasks": [{"name": "worked_problem"}, {"name": "worked_problem"}]}, "listed twice"),
        ({"tasks": [{"name": "grounded_question"}]}, "'procedural' cannot do task 'grounded_question'"),
        ({"teacher": {"name": "openai"}}, "model"),
        ({"seeds": {"limt": 3}}, "did you mean 'limit'"),
        ({"routes": [{"tasks": ["nothing"], "teacher": {"name": "procedural"}}]}, "nothing"),
    ],
)
def test_wrong_recipes_are_refused_early(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build(SynthesisSettings, values, "synthesize")


def test_replies_must_be_local(tmp_path: Path) -> None:
    with Session.open(Location.of(tmp_path), LocalRunner(1)) as session, pytest.raises(UsageError, match="--replies"):
        synthesize(session, [], problems(1), Location.of("s3://bucket/replies"))


def test_seeds_are_kept_long_enough_and_chosen_by_chance_or_score(tmp_path: Path) -> None:
    shards = [
        seed_shard(tmp_path, "a", [passage(n) for n in range(20)] + ["short"], dropped=[3], scores=[float(n) for n in range(21)]),
        seed_shard(tmp_path, "b", [passage(100 + n) for n in range(20)], scores=[float(n) for n in range(20)]),
    ]
    everything = choose(shards, SeedPolicy(limit=100))
    assert len(everything) == 39
    assert "a-3" not in {seed.id for seed in everything}
    assert choose(shards[::-1], SeedPolicy(limit=10)) == everything[:10]
    best = choose(shards, SeedPolicy(limit=5, order="score"))
    assert {seed.id for seed in best[:4]} == {"a-19", "b-19", "a-18", "b-18"}
    for seed in everything[:5]:
        assert seed.text == passage(int(seed.id[2:]) + (100 if seed.id[0] == "b" else 0))


@pytest.mark.parametrize("name", ["worked_problem", "document_exercise", "solve_blind"])
def test_prompts_are_whole(name: str) -> None:
    prompt = load_prompt(name)
    assert prompt.name.startswith(f"{name}@")
    assert "{{" in prompt.user
    with pytest.raises(Exception, match="undefined"):
        prompt.messages({})


def test_a_task_is_built_by_name() -> None:
    task = build_task({"name": "worked_problem", "count": 3, "topics": ["percentages"], "levels": [1, 2]})
    levels = [task.draft(n, None).difficulty for n in range(4)]
    assert levels == [1, 2, 1, 2]


def test_pairs_are_a_proved_solution_and_a_slip_that_pretraining_never_sees(tmp_path: Path) -> None:
    accepted, _ = rows_of(generate(tmp_path / "out", problems(64))[0])
    paired = [facts for facts in (dict(row["metadata"]) for row in accepted) if "rejected" in facts]
    assert 20 < len(paired) < 64
    for facts in paired:
        asked, chosen, rejected = (json.loads(facts[name]) for name in ("prompt", "chosen", "rejected"))
        assert [asked, chosen] == [[said] for said in json.loads(facts["messages"])]
        assert [said["role"] for said in (*asked, *chosen, *rejected)] == ["user", "assistant", "assistant"]
        assert rejected != chosen
    for row in accepted:
        facts = dict(row["metadata"])
        if "rejected" in facts:
            assert json.loads(facts["rejected"])[0]["content"] not in row["text"]
