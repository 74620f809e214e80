"""How documents are carried: schema, keys, kernels, shards, stages, runners, readers, extraction, edits, deduplication, the ledger."""
