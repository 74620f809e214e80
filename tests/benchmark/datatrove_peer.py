"""datatrove doing what `reference.toml` asks for, in datatrove's own way. Run by the peer's Python, from `end_to_end.py`.

    PEER_PYTHON datatrove_peer.py WORK INPUT.jsonl... [--workers 2]

Three filters at their defaults, which are FineWeb's; MinHash in its four steps at its defaults, 14 buckets of 8 hashes; zstd Parquet. What
passes the filters is written as plain JSON Lines between, because signatures and the last step both read it. A task is an input file.
The last line printed is a JSON object: seconds of each step, documents after the filters, documents kept.
"""

import argparse
import json
import time
from pathlib import Path

import pyarrow.parquet as pq
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter, ParquetWriter


def steps(work: Path, given: Path, files: int):
    """Return (name, tasks, pipeline) of each step."""
    config = MinhashConfig(num_buckets=14, hashes_per_bucket=8)
    passed, signatures, buckets, copies = (str(work / name) for name in ("passed", "signatures", "buckets", "copies"))
    filters = [GopherRepetitionFilter(), GopherQualityFilter(), FineWebQualityFilter()]
    return [
        ("filter", files, [JsonlReader(str(given)), *filters, JsonlWriter(passed, compression=None)]),
        ("sign", files, [JsonlReader(passed), MinhashDedupSignature(signatures, config)]),
        ("buckets", config.num_buckets, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        ("cluster", 1, [MinhashDedupCluster(buckets, copies, config=config)]),
        ("write", files, [JsonlReader(passed), MinhashDedupFilter(copies), ParquetWriter(str(work / "kept"), compression="zstd")]),
    ]


def main() -> None:
    """Run the steps one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    given = asked.work / "given"
    given.mkdir(parents=True)
    for path in asked.inputs:
        (given / path.name).symlink_to(path.resolve())
    seconds = {}
    for name, tasks, pipeline in steps(asked.work, given, len(asked.inputs)):
        began = time.perf_counter()
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=asked.workers, logging_dir=str(asked.work / "logs" / name)).run()
        seconds[name] = round(time.perf_counter() - began, 1)
    passed = sum(path.read_bytes().count(b"\n") for path in (asked.work / "passed").iterdir())
    kept = sum(pq.ParquetFile(path).metadata.num_rows for path in (asked.work / "kept").glob("*.parquet"))
    print(json.dumps({"seconds": seconds, "passed": passed, "kept": kept}))


if __name__ == "__main__":
    main()
