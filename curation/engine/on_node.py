"""On a node: what a Ray worker checks before its first task. A machine that would make the task wrongly refuses it.

Ray sends the functions of this file as code, by value: they run even where our package is missing, and say so. A node is refused where it
has other code than the driver, lacks the package, or does not see a folder that the run needs; then the work goes to other nodes.

Invariants
    - Nothing of ours is imported at the top of this file.
    - A task is unpickled only where the code is the driver's.
"""

from typing import Any

REFUSED, DONE = "refused", "done"
"""A node's answers; the functions below travel without this module, so they repeat the words."""


def make_here(payload: bytes, code: str, needed: tuple[str, ...]) -> tuple[str, int, tuple[str, Any]]:
    """Make the task that is pickled in `payload`.

    Return this node's id, how often Ray has started the task again, and (DONE, the outcome) or (REFUSED, why not here).

    `code` is the digest of the driver's code; `needed` are files that this node must see.
    """
    import ray

    context = ray.get_runtime_context()
    node, again = context.get_node_id(), context.worker.core_worker.get_current_task_attempt_number()
    reason = why_not_here(code, needed)
    if reason:
        return node, again, ("refused", reason)
    from curation.engine.runner import attempt_watched

    task, item = ray.cloudpickle.loads(payload)
    outcome = attempt_watched(task, item)
    return node, again, ("refused", outcome.line) if outcome.misfit else ("done", outcome)


def why_not_here(code: str, needed: tuple[str, ...]) -> str:
    """Return why this node must not make a run's tasks; "" if it may. A process remembers a successful check."""
    try:
        from curation.engine.node_check import fault_of_this_node
    except ImportError as error:
        return f"it cannot import this package ({error}); install it there, or add --runtime-env code"
    return fault_of_this_node(code, needed)
