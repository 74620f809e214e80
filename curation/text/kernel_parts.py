"""How kernels are compiled: helpers are lowered to LLVM code once, and optimised as a part of each kernel that calls them, never alone.

Numba treats a function that other compiled functions call as one that Python might call too: it optimises the function by itself and makes
machine code of it, which nobody runs, and merges it into its caller, where all of it is optimised again. It also compiles the function
anew for each constant among its arguments, first of all for the 0 that a loop's counter starts from. Most of the time that compiling
takes goes there; the optimiser sees a constant anyway where the helper is merged. What numba itself has written in Python (`np.empty`) is
treated as a helper too, and passes over the code that no kernel needs are left out.

Invariant: imported by `curation.text.kernels` alone, after the cache folder is set.
"""

# mypy: allow-untyped-calls, disable-error-code="method-assign, assignment"
# (numba's own classes and functions say no types; some of its methods are replaced for a while)

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.decorators import jit
from numba.core.typed_passes import (
    AnnotateTypes,
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
    NopythonRewrites,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.typing.templates import _OverloadFunctionTemplate
from numba.core.untyped_passes import FixupArgs, GenericRewrites, IRProcessing, ReconstructSSA, TranslateByteCode

from curation.text.kernel_typing import remembered_types

__all__ = ["WITHOUT_WRAPPERS", "KernelCompiler", "PartCompiler", "without_constants"]

WITHOUT_WRAPPERS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_STEPS = (
    TranslateByteCode,
    FixupArgs,
    IRProcessing,
    GenericRewrites,
    ReconstructSSA,
    NopythonTypeInference,
    PreLowerStripPhis,
    NopythonRewrites,
    IRLegalization,
    AnnotateTypes,
    NativeLowering,
    NoPythonBackend,
)


class _Part(JITCodeLibrary):
    """LLVM code that waits for its callers: finished means linked with what it calls itself."""

    def add_llvm_module(self, module: Any) -> None:
        """Take a function's code as it is."""
        module.data_layout = self._codegen._data_layout
        self._final_module.link_in(module)

    def finalize(self) -> None:
        """Link what the function calls; whoever calls it optimises both."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=False, analysis_only=False)
class _NameForCallers(LoweringPass):
    """Register the lowered function under a name of its own, as numba registers machine code under its address."""

    _name = "name_for_callers"

    def __init__(self) -> None:
        """Take nothing."""
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        lowered = state["cr"]
        name = object().__sizeof__  # numba asks for a built-in function; this one is bound to an object that nothing else knows
        state.targetctx.insert_user_function(name, lowered.fndesc, [state.library])
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = lowered._replace(cfunc=name)
        return True


class _Passes(PassManager):
    """Passes that are trusted: numba otherwise works out after many of them again where each variable lives, which the next does itself."""

    _ENFORCING = False


class KernelCompiler(CompilerBase):
    """Numba's passes without those for what no kernel has: closures, `with` blocks, branches on None, loops over tuples of types."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        passes = _Passes("kernel")
        for step in _STEPS:
            passes.add_pass(step, step.__name__)
        passes.finalize()
        return [passes]

    def _compile_core(self) -> Any:
        with remembered_types(), _numbas_own_as_parts():
            return super()._compile_core()


class PartCompiler(KernelCompiler):
    """The same, which stops where machine code would be made."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        [passes] = super().define_pipelines()
        return [_without_machine_code(self.state, passes)]


class _NumbasOwnCompiler(CompilerBase):
    """All of numba's passes, but for the last."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        return [_without_machine_code(self.state, DefaultPassBuilder.define_nopython_pipeline(self.state))]


def _without_machine_code(state: Any, passes: Any) -> Any:
    state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
    state.flags.no_compile = True
    passes.add_pass_after(_NameForCallers, NativeLowering)
    passes.finalize()
    return passes


@contextmanager
def _numbas_own_as_parts() -> Iterator[None]:
    """Inside the block, what numba itself has written in Python (`np.empty`, `max`) becomes part of its callers too."""
    before = _OverloadFunctionTemplate._get_jit_decorator
    _OverloadFunctionTemplate._get_jit_decorator = lambda _: partial(jit, pipeline_class=_NumbasOwnCompiler, **WITHOUT_WRAPPERS)
    try:
        yield
    finally:
        _OverloadFunctionTemplate._get_jit_decorator = before


def without_constants(dispatcher: Any) -> Any:
    """Let callers in compiled code pass a constant as any other number of its type, so that both share one compilation."""
    template = dispatcher.get_call_template

    def general(arguments: Any, named: Any) -> Any:
        return template(tuple(map(types.unliteral, arguments)), {name: types.unliteral(value) for name, value in named.items()})

    dispatcher.get_call_template = general
    return dispatcher
