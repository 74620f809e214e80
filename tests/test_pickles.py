"""Nothing that is read is unpickled: a pickle runs what it likes, and the sources say everywhere that none is wanted."""

import ast
import re

from tests.test_imports import imports, sources

READS = re.compile(r"(np|numpy)\.(lib\.format\.)?(load|read_array)")
"""NumPy's functions that may read pickles."""


def test_numpy_is_told_everywhere_and_no_file_imports_pickles() -> None:
    """Even where an earlier look at the head would refuse objects: one look may change without the other."""
    told = 0
    for path in sources():
        assert not {"pickle", "marshal", "shelve", "dill", "joblib"} & {name.partition(".")[0] for name in imports(path)}, path
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and READS.fullmatch(ast.unparse(call.func)):
                said = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
                assert said.get("allow_pickle") == "False", f"{path.name}:{call.lineno} does not say allow_pickle=False"
                told += 1
    assert told >= 3
