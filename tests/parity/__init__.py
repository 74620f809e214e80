"""Our filters against the originals, run in an environment of their own, on all real text there is; files are exchanged as Parquet.

`CURATION_PEER_PYTHON` names the Python of an environment that has `datatrove[io,processing]==0.10.1` and `spacy>=3.8,<3.9`; its
dependencies clash with ours, so it is none of `[test]`, and without it these tests skip. By default a sample of the texts is compared;
`pytest -m full tests/parity` compares all of them.
"""
