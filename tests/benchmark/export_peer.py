"""datatrove writing documents as Parquet, or their tokens as `.ds`. Run by the peer's Python, from `export_speed.py`.

    PEER_PYTHON export_peer.py parquet|ds INPUT OUT [TOKENIZER]

INPUT is a folder of Parquet files with `id` and `text`. One task, one worker, as datatrove's own examples are written.
"""

import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.pipeline.writers import ParquetWriter


def main() -> None:
    """Write what the command line asks."""
    kind, given, out, *tokenizer = sys.argv[1:]
    if kind == "parquet":
        last = ParquetWriter(out, compression="zstd")
    else:
        last = DocumentTokenizer(out, tokenizer_name_or_path=tokenizer[0], eos_token="<|end|>", shuffle_documents=False)
    LocalPipelineExecutor([ParquetReader(given), last], tasks=1, workers=1, logging_dir=f"{out}-logs").run()


if __name__ == "__main__":
    main()
