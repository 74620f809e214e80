"""Tables that pass records on to each other describe a column of one name alike, and none may hold a null where another may not."""

import pyarrow as pa
import pytest

from curation.schema import DOCUMENTS, LEDGER, REJECTS, VERDICTS
from pipelines.export.export import DATASET


@pytest.mark.parametrize(("schema", "other"), [(DOCUMENTS, LEDGER), (REJECTS, LEDGER), (DOCUMENTS, REJECTS), (VERDICTS, LEDGER)])
def test_a_column_of_one_name_is_one_column(schema: pa.Schema, other: pa.Schema) -> None:
    common = sorted({*schema.names} & {*other.names} - {"fate", "rule"})
    assert len(common) >= 5
    for name in common:
        assert schema.field(name).equals(other.field(name)), name


def test_only_records_without_a_rule_may_lack_one() -> None:
    """Every rejected record has its rule; a row of the ledger has one unless it is kept."""
    assert (REJECTS.field("rule").nullable, LEDGER.field("rule").nullable, VERDICTS.field("rule").nullable) == (False, True, True)
    assert not any(schema.field("fate").nullable for schema in (REJECTS, LEDGER))


def test_a_row_of_the_dataset_has_all_that_its_document_must_have() -> None:
    for name in ("id", "source", "file_path", "text"):
        assert DATASET.field(name).equals(DOCUMENTS.field(name)), name
    must = {"text", "id", "file_path", "token_count", "minhash_cluster_size", "metadata", "source", "origin"}
    assert {field.name for field in DATASET if not field.nullable} == must
