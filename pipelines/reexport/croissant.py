"""Croissant: a machine-readable description of a dataset (schema.org's Dataset with MLCommons' vocabulary, version 1.0).

The files with rows form a file set for each split, and a record set names their columns; files of token ids are listed one by one. Every
file is listed with its SHA-256.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from curation.storage.ownership import MADE_BY
from pipelines.reexport.formats.writing import WrittenFile

VERSION = "http://mlcommons.org/croissant/1.0"

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FORMATS = {".parquet": "application/x-parquet", ".gz": "application/gzip", ".zst": "application/zstd"}
_TYPES = {"int64": "sc:Integer", "int32": "sc:Integer", "double": "sc:Float"}


def croissant(
    name: str, description: str, license_name: str, files: Sequence[WrittenFile], columns: Mapping[str, Mapping[str, str]]
) -> bytes:
    """Return croissant.json. `columns` gives, for the glob of each file set, the name and Arrow type of its columns."""
    content = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": name,
        "description": f"{description} Made with {MADE_BY}.".strip(),
        "conformsTo": VERSION,
        "license": license_name,
        "creator": {"@type": "sc:Organization", "name": MADE_BY},
        "version": "1.0.0",
        "isLiveDataset": False,
        "distribution": [*(_file(file) for file in files), *(_set(glob) for glob in columns)],
        "recordSet": [_records(glob, own) for glob, own in columns.items()],
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _name(glob: str, what: str) -> str:
    """Return the id of a file set or record set: data-train-files."""
    return f"{glob.partition('*')[0].replace('/', '-')}{what}"


def _file(file: WrittenFile) -> dict[str, Any]:
    name = file.path
    kind = _FORMATS.get(f".{name.rpartition('.')[2]}", "application/octet-stream")
    about = {"contentUrl": name, "contentSize": f"{file.bytes} B", "encodingFormat": kind, "sha256": file.sha256}
    return {"@type": "cr:FileObject", "@id": name, "name": name, **about}


def _set(glob: str) -> dict[str, Any]:
    kind = _FORMATS[f".{glob.rpartition('.')[2]}"]
    return {"@type": "cr:FileSet", "@id": _name(glob, "files"), "encodingFormat": kind, "includes": glob}


def _records(glob: str, columns: Mapping[str, str]) -> dict[str, Any]:
    name = _name(glob, "rows")
    source = {"@id": _name(glob, "files")}
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{'_'.join(column.split())}",
            "dataType": _TYPES.get(kind.removeprefix("list<item: ").removesuffix(">"), "sc:Text"),
            **({"repeated": True} if kind.startswith("list<") else {}),
            "source": {"fileSet": source, "extract": {"column": column}},
        }
        for column, kind in columns.items()
    ]
    return {"@type": "cr:RecordSet", "@id": name, "field": fields}
