"""The dataset card: the page that people read before they train on a dataset, and that the Hugging Face hub reads to load it.

Source: the hub's dataset card format, Markdown after a YAML header (`configs` names the files of each split). Header values are written as
JSON, which is also YAML, so that a recipe's text cannot break out of its value.

Invariant: the card is a pure function of its facts, and the facts depend only on the run's bytes; the card names no time and no machine.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from curation.counting import counted
from curation.storage.location import Location
from pipelines.export.export import DATASET
from pipelines.inspect.flows import CutText, Flow, SourceFlow, SourceLoss, verdicts_in
from pipelines.inspect.funnel import funnel
from pipelines.inspect.mixing import LeftOut, mixed
from pipelines.inspect.rules import RunRules
from pipelines.inspect.run_folder import manifest_of
from pipelines.inspect.sources import SHOWN, largest_flows
from pipelines.terminal.wording import cut_in_words, license_in_words, loss_in_words, number, printable, size, verdicts_in_words

MEANINGS = {
    "text": "the text, UTF-8",
    "id": "the record's own id, or else a hash of its content; only records of equal id, URL and text share one",
    "url": "the URL of the page",
    "date": "the time of the crawl, ISO 8601 in UTC",
    "file_path": "the input file of the record",
    "language": "the detected language, as an ISO 639 code",
    "language_score": "the probability of that language, 0 to 1",
    "token_count": "the length of the text in tokens (see above)",
    "score": "the educational value, 0 to 5",
    "int_score": "the score, rounded",
    "minhash_cluster_size": "the number of documents in the duplicate cluster, this one included; the others were dropped",
    "metadata": "JSON text: all other fields of the input record, and notes from reading it (encoding, title, edits made)",
    "source": "the source of the record: the recipe's label, or else the input: a file's name, or the folder or pattern as given",
    "origin": "`web` or `synthetic`",
    "seed_ids": "generated rows only: the ids of the rows it was made from",
    "task": "generated rows only: its task",
    "teacher": "generated rows only: the teacher that generated it",
    "verifier": "generated rows only: the checks that it passed, with their versions",
    "verdict": "generated rows only: what the checks say of its answer, `proved` (a second way reaches it from the facts), `agreed` "
    "(blind solves reach it) or `necessary` (quotations, numbers and names occur in the source; the argument is not proved)",
    "agreement": "generated rows only: how many of the blind solves agreed, such as 3/3",
}
"""The meaning of each column of the dataset. Names up to `minhash_cluster_size` are FineWeb's."""

PACKED_MEANINGS = (
    ("input_ids", "list<int32>", "the token ids of one sequence, filled up at its end"),
    ("document_mask", "list<int32>", "for each id the number of its document in the sequence, from 1; 0 for filling"),
    ("tokens", "int64", "the number of ids that are not filling"),
)
"""The columns of packed sequences."""

TOKEN_FILES = {
    "megatron": "`X.bin` and `X.idx` are an indexed dataset of Megatron-LM (`--data-path data/X`), one sequence a document",
    "ds": "`X.ds` holds token ids, `X.ds.index` the ends of documents in tokens as 64-bit numbers: datatrove's and nanotron's format",
    "memmap": "`X.tokens.bin` holds token ids for `numpy.memmap`, `X.offsets.npy` where each document begins and ends",
}
"""Formats that are files of token ids, and how to read them."""

LOADABLE = ("parquet", "jsonl.gz", "jsonl.zst")
"""Endings of files that `datasets` loads."""

_PERSONAL = {
    "email": ("email address", "email addresses"),
    "iban": ("IBAN",),
    "card": ("card number",),
    "ip": ("IP address", "IP addresses"),
    "phone": ("phone number",),
}
"""What the edit `pii` masks, by its kind: the noun, and its plural if that is not formed with "s"."""

_BLOCK_OF_MARKDOWN = re.compile(r"^(?:#|---|===|\*\*\*|___|```|~~~|\||!\[|\[[^\]]*\]:)")
_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
    (10**10, "1B<n<10B"),
    (10**11, "10B<n<100B"),
    (10**12, "100B<n<1T"),
)


@dataclass(frozen=True)
class Exported:
    """What an export did with the rows that its run kept.

    `mix` and `splits` say it in words, `left_out` counts the rows that the mix leaves out, `repeated` the rows that are further copies.
    """

    place: Location
    mix: str = ""
    splits: str = ""
    left_out: LeftOut = field(default_factory=dict)
    repeated: int = 0
    shuffled: bool = False
    format: str = "parquet"


@dataclass(frozen=True)
class SplitSize:
    """A split of a config: the glob of its files, its rows and the bytes of its files."""

    files: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class CardFacts:
    """The facts on a card.

    `languages` are the languages that the recipe's filter keeps; `tokenizer` is the recipe's, None when counts are estimates; `configs`
    maps a name to its splits.
    """

    name: str
    description: str
    license: str
    languages: Sequence[str]
    configs: Mapping[str, Mapping[str, SplitSize]]
    edits: Mapping[str, int]
    rows: int
    tokens: int
    bytes: int
    files: int
    tokenizer: str | None
    ignored: Mapping[str, int]
    web: Flow
    synthetic: Flow | None
    sources: Sequence[SourceFlow]
    recipe: str
    packages: Mapping[str, str]
    verdicts: Mapping[str, int] = field(default_factory=dict)
    cut: CutText | None = None
    alarms: Sequence[SourceLoss] = ()
    cautions: Sequence[str] = ()
    keep: Sequence[str] = ()
    mix: str = ""
    splits: str = ""
    repeated: int = 0
    shuffled: bool = False
    format: str = "parquet"


def card_facts(run: Location, rules: RunRules, exported: Exported | None = None) -> CardFacts:
    """Gather the facts of a card from a run's ledger and from the manifest of its dataset, or of a later export."""
    counted = mixed(funnel(str(run)), exported.left_out if exported is not None else {})
    content = manifest_of(exported.place if exported is not None else run / "dataset") or {
        "shards": [],
        "rows": 0,
        "tokens": 0,
        "packages": {},
    }
    found = {"default": _splits(content["shards"], "data"), **{kind: _splits(content.get(kind, ()), kind) for kind in ("sft", "dpo")}}
    configs = {name: splits for name, splits in found.items() if splits}
    return CardFacts(
        name=rules.name,
        description=rules.description,
        license=rules.license,
        languages=rules.languages,
        configs=configs,
        edits=counted.edits,
        rows=content["rows"],
        tokens=content["tokens"],
        bytes=sum(shard["bytes"] for shard in content["shards"]),
        files=len(content["shards"]),
        tokenizer=rules.tokenizer,
        ignored=counted.ignored,
        web=counted.web,
        synthetic=counted.synthetic,
        sources=largest_flows(counted.sources),
        recipe=rules.text,
        packages=content.get("packages", {}),
        verdicts=verdicts_in(content["shards"]),
        cut=counted.cut,
        alarms=counted.alarms[:SHOWN],
        cautions=rules.cautions,
        keep=content.get("keep", ()),
        mix=exported.mix if exported is not None else "",
        splits=exported.splits if exported is not None else "",
        repeated=exported.repeated if exported is not None else 0,
        shuffled=exported is not None and exported.shuffled,
        format=exported.format if exported is not None else "parquet",
    )


def _limits(facts: CardFacts) -> list[str]:
    """Return what was done about personal data and benchmarks, and what no filter can ensure."""
    masked = {name.partition(".")[2]: count for name, count in facts.edits.items() if name.startswith("pii.") and count}
    told = ", ".join(counted(count, *_PERSONAL.get(name, (_cell(name),))) for name, count in masked.items())
    overlaps = sum(step.taken.documents for step in facts.web.steps if step.rule.startswith("benchmark_overlap."))
    is_decontaminated = any(step.rule.startswith("benchmark_overlap.") for step in facts.web.steps)
    return [
        f"Personal data: the run masked {told}; other personal data may remain." if told else "Personal data: nothing was masked.",
        f"Benchmarks: the run dropped {counted(overlaps, 'document')} that shared long passages with the recipe's benchmarks."
        if is_decontaminated
        else "Benchmarks: the text was not compared with any benchmark.",
        *(f"The run warned: {_cell(line)}." for line in facts.cautions),
        "Filters judge a text by statistics; its content may still be false, biased or harmful.",
    ]


def _columns(facts: CardFacts) -> list[dict[str, str]]:
    """Return the columns of a dataset's rows; raw token files have none."""
    if facts.format == "packed":
        return [{"name": name, "type": kind, "meaning": meaning} for name, kind, meaning in PACKED_MEANINGS]
    if facts.format in TOKEN_FILES:
        return []
    own = [{"name": field.name, "type": str(field.type), "meaning": MEANINGS[field.name]} for field in DATASET]
    return own + [{"name": _cell(name), "type": "string", "meaning": "the input field of this name"} for name in facts.keep]


def _splits(entries: Sequence[Mapping[str, Any]], folder: str) -> dict[str, SplitSize]:
    """Return the splits of a manifest's entries that data loaders can read, `train` first as the manifest has it."""
    splits: dict[str, SplitSize] = {}
    for entry in entries:
        split, ending = entry.get("split", "train"), entry["file"].partition(".")[2]
        if ending not in LOADABLE:
            continue
        before = splits.get(split, SplitSize(f"{folder}/{split}-*.{ending}", 0, 0))
        splits[split] = SplitSize(before.files, before.rows + entry["rows"], before.bytes + entry["bytes"])
    return splits


def card(facts: CardFacts) -> str:
    """Return the card as Markdown with its YAML header."""
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.filters.update(count=number, size=size, cell=_cell)
    flows = [{"title": "Web", "of": "Documents", "lines": _lines(facts.web)}] if facts.web.came.documents or facts.synthetic is None else []
    if facts.synthetic is not None:
        flows.append({"title": "Generated", "of": "Rows", "lines": _lines(facts.synthetic)})
    rows_alone = flows[0]["title"] == "Generated"
    template = environment.from_string((files("pipelines") / "templates" / "card.md").read_text("utf-8"))
    return template.render(
        header=_header(facts),
        title=_title(facts),
        description=_prose(facts.description) or "A corpus for pretraining.",
        rows=facts.rows,
        tokens=facts.tokens,
        files=facts.files,
        bytes=facts.bytes,
        verdicts=verdicts_in_words(facts.verdicts),
        token_count=_how_counted(facts.tokenizer),
        sft="sft" in facts.configs,
        dpo="dpo" in facts.configs,
        flows=flows,
        begins="teacher" if rows_alone else "crawl",
        record="row that a teacher was asked for" if rows_alone else "input record",
        row="row" if rows_alone else "document",
        came="Rows asked for" if rows_alone else "Documents read",
        ignored=", ".join(f"{number(count)} {kind}" for kind, count in facts.ignored.items()),
        cut=cut_in_words(facts.cut.passages, facts.cut.documents, facts.cut.text_bytes) if facts.cut is not None else "",
        reading=TOKEN_FILES.get(facts.format, ""),
        loads=bool(facts.configs),
        columns=_columns(facts),
        sources=facts.sources,
        alarms=[loss_in_words(_cell(loss.source), loss.duplicates, loss.documents, loss.alarm_share) for loss in facts.alarms],
        limits=_limits(facts),
        license=facts.license,
        license_note=license_in_words(facts.license),
        synthetic=facts.synthetic is not None,
        mix=_cell(facts.mix),
        splits=facts.splits,
        repeated=facts.repeated,
        shuffled=facts.shuffled,
        recipe=facts.recipe.strip().replace("```", "'''"),
        packages=", ".join(f"{name} {version}" for name, version in sorted(facts.packages.items())) or "packages that were not recorded",
    )


def _header(facts: CardFacts) -> str:
    configs: list[dict[str, Any]] = [
        {
            "config_name": name,
            **({"default": True} if name == "default" else {}),
            "data_files": [{"split": split, "path": size.files} for split, size in splits.items()],
        }
        for name, splits in facts.configs.items()
    ]
    sizes = [_sizes(name, splits) for name, splits in facts.configs.items()]
    tags = ["pretraining", "textbook-curation", "deduplicated"] + (["synthetic"] if facts.synthetic is not None else [])
    header: dict[str, Any] = {
        "pretty_name": _title(facts),
        "license": facts.license,
        **({"language": list(facts.languages)} if facts.languages else {}),
        "task_categories": ["text-generation"],
        "size_categories": [_size_category(facts.rows)],
        "tags": tags,
        **({"configs": configs, "dataset_info": sizes} if configs else {}),
    }
    return "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in header.items())


def _sizes(name: str, splits: Mapping[str, SplitSize]) -> dict[str, Any]:
    """Return the sizes of a config as the hub shows them."""
    total = sum(size.bytes for size in splits.values())
    told = [{"name": split, "num_bytes": size.bytes, "num_examples": size.rows} for split, size in splits.items()]
    return {"config_name": name, "splits": told, "download_size": total, "dataset_size": total}


def _title(facts: CardFacts) -> str:
    return printable(facts.name).replace("-", " ").replace("_", " ").capitalize()


def _size_category(rows: int) -> str:
    return next((name for bound, name in _SIZES if rows < bound), "n>1T")


def _how_counted(tokenizer: str | None) -> str:
    if tokenizer is None:
        return "an estimate, round(bytes of UTF-8 / 4)"
    return f"counted with the tokenizer `{printable(tokenizer.rsplit('/', 1)[-1])}`"


def _lines(flow: Flow) -> list[dict[str, str]]:
    came, kept = flow.came, flow.kept
    lines = [_line("", "all", number(came.documents), 1.0, came.text_bytes, came.documents)]
    for step in flow.steps:
        if step.taken.documents:
            taken = f"-{number(step.taken.documents)}"
            lines.append(_line(step.stage, step.rule, taken, step.share, step.taken.text_bytes, step.remaining))
    lines.append(_line("**kept**", "", f"**{number(kept.documents)}**", flow.kept_share, kept.text_bytes, kept.documents))
    return lines


def _line(stage: str, rule: str, documents: str, share: float, text_bytes: int, left: int) -> dict[str, str]:
    text = size(text_bytes) if text_bytes else ""
    return {"stage": stage, "rule": rule, "documents": documents, "share": f"{100 * share:.1f} %", "text": text, "left": number(left)}


def _prose(text: str) -> str:
    """Return a recipe's description as plain paragraphs of Markdown, in which HTML, headings, rules, fences and tables are escaped.

    Links stay, because a description may link to its sources.
    """
    lines = [printable(line).replace("<", "&lt;").strip() for line in text.strip().splitlines()]
    return "\n".join(_BLOCK_OF_MARKDOWN.sub(lambda mark: f"\\{mark[0]}", line) for line in lines)


def _cell(text: str) -> str:
    """Escape text so that it stays within its cell of a Markdown table and is not read as HTML."""
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
