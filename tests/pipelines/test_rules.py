"""The rules of a run, as everybody who looks at it sees them: what a loaded recipe says of itself."""

from pipelines.inspect.rules import rules_of
from pipelines.recipes.recipe import parse_recipe


def test_only_models_that_are_there_are_told() -> None:
    """A filter without its model measures nothing; `language` has a model of its own that no recipe names."""
    rules = rules_of(parse_recipe("[[filter]]\nname = 'fasttext'\n[[filter]]\nname = 'language'\n", "plain"))
    assert rules.models == ()
    (used,) = rules_of(parse_recipe("[[filter]]\nname = 'educational_score'\n[[filter]]\nname = 'fasttext'\n", "scored")).models
    assert (used.filter, used.model, len(used.sha256)) == ("educational_score", "filters:models/edu.safetensors", 64)
