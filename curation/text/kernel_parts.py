"""How kernels are compiled: helpers are lowered to LLVM code once, and optimised only as a part of the kernels that call them.

Numba compiles a helper as if Python might call it too. It optimises the helper by itself, makes machine code that nobody runs, and then
merges the helper into its caller, where the code is optimised again. It also compiles the helper again for each constant argument, such as
the 0 that a loop counter starts from. Most of the compile time goes into this, although the optimiser sees the constants in the merged code
anyway. Functions that numba itself has written in Python (`np.empty`) are treated as helpers too, and compiler passes that no kernel needs
are left out.

Invariant: only `curation.text.kernels` imports this module, after it has set the cache folder.
"""

# mypy: allow-untyped-calls, disable-error-code="method-assign, assignment"
# (numba's own classes and functions have no types; some of its methods are replaced temporarily)

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from llvmlite.binding import parse_assembly
from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.decorators import jit
from numba.core.imputils import user_function
from numba.core.typed_passes import (
    AnnotateTypes,
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.typing.templates import _OverloadFunctionTemplate
from numba.core.untyped_passes import FixupArgs, GenericRewrites, IRProcessing, TranslateByteCode

from curation.text.kernel_bookkeeping import without_bookkeeping
from curation.text.kernel_calls import call_of, passes_whole
from curation.text.kernel_lowering import KernelLowering, PartLowering
from curation.text.kernel_references import DeletionsWhereCounted, without_lifetimes
from curation.text.kernel_typing import RenamingWhereNamed, remembered_types

__all__ = ["WITHOUT_WRAPPERS", "KernelCompiler", "PartCompiler", "without_constants"]

WITHOUT_WRAPPERS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_BEFORE_LOWERING = (
    TranslateByteCode,
    FixupArgs,
    IRProcessing,
    GenericRewrites,
    RenamingWhereNamed,
    NopythonTypeInference,
    PreLowerStripPhis,
    DeletionsWhereCounted,
    AnnotateTypes,
)


class _Part(JITCodeLibrary):
    """LLVM code that waits for its callers; it is finished once it is linked with the code that it calls."""

    def add_llvm_module(self, module: Any) -> None:
        """Add a function's code after numba's passes over single functions; without these its callers become slower code."""
        self._optimize_functions(module)
        self._final_module.link_in(module)

    def finalize(self) -> None:
        """Link the code that the function calls; its caller optimises both."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True


class _Kernel(JITCodeLibrary):
    """Code that is kept for other processes as machine code alone; numba keeps LLVM code too, for callers, of which a kernel has none."""

    def add_ir_module(self, module: Any) -> None:
        """Add code; the function that Python calls, which unpacks the arguments once a call, is not worth the time to optimise it."""
        if module.name == "wrapper":
            for function in module.functions:
                if function.blocks:
                    function.attributes.add("noinline")
                    function.attributes.add("optnone")
        super().add_ir_module(module)

    def serialize_using_object_code(self) -> tuple[str, str, tuple[bytes, bytes]]:
        """Return the machine code, and a module that has only the names of its functions."""
        names = [function.name for function in self._final_module.functions if not function.is_declaration]
        stubs = parse_assembly("\n".join(f'define void @"{name}"() {{ ret void }}' for name in names))
        return self.name, "object", (self._get_compiled_object(), stubs.as_bitcode())


@register_pass(mutates_CFG=False, analysis_only=False)
class _NameForCallers(LoweringPass):
    """Register the lowered function under a unique name, as numba registers machine code under its address."""

    _name = "name_for_callers"

    def __init__(self) -> None:
        """Take nothing."""
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        lowered = state["cr"]
        name = object().__sizeof__  # numba asks for a built-in function; this one is bound to an object that nothing else refers to
        call = self._call(lowered.fndesc, [state.library])
        state.targetctx._defns[name].append(call, call.signature)
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = lowered._replace(cfunc=name)
        return True

    def _call(self, function: Any, libraries: list[Any]) -> Any:
        return user_function(function, libraries)


@register_pass(mutates_CFG=False, analysis_only=False)
class _NameForKernels(_NameForCallers):
    """The same for a helper of ours, which kernels call in their own way."""

    _name = "name_for_kernels"

    def _call(self, function: Any, libraries: list[Any]) -> Any:
        return call_of(function, libraries) if passes_whole(function) else super()._call(function, libraries)


class _Passes(PassManager):
    """Passes without checks between them: numba otherwise recomputes the lifetimes of variables after many passes."""

    _ENFORCING = False


class KernelCompiler(CompilerBase):
    """Numba's passes, except those that no kernel needs: for closures, `with` blocks, branches on None, loops over tuples of types,
    arithmetic on whole arrays."""

    lowering = KernelLowering

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        self.state.library = _Kernel(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.library.enable_object_caching()
        passes = _Passes("kernel")
        for step in (*_BEFORE_LOWERING, self.lowering, NoPythonBackend):
            passes.add_pass(step, step.__name__)
        passes.finalize()
        return [passes]

    def _compile_core(self) -> Any:
        with remembered_types(), without_lifetimes(), without_bookkeeping(), _numbas_own_as_parts():
            return super()._compile_core()


class PartCompiler(KernelCompiler):
    """The same passes, up to the one that makes machine code."""

    lowering = PartLowering

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        [passes] = super().define_pipelines()
        return [_without_machine_code(self.state, passes, self.lowering, _NameForKernels)]


class _NumbasOwnCompiler(CompilerBase):
    """All of numba's passes, except the last one."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        return [_without_machine_code(self.state, DefaultPassBuilder.define_nopython_pipeline(self.state), NativeLowering, _NameForCallers)]


def _without_machine_code(state: Any, passes: Any, lowering: Any, naming: Any) -> Any:
    state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
    state.flags.no_compile = True
    passes.add_pass_after(naming, lowering)
    passes.finalize()
    return passes


@contextmanager
def _numbas_own_as_parts() -> Iterator[None]:
    """Inside the block, functions that numba itself has written in Python (`np.empty`, `max`) become part of their callers too."""
    before = _OverloadFunctionTemplate._get_jit_decorator
    _OverloadFunctionTemplate._get_jit_decorator = lambda _: partial(jit, pipeline_class=_NumbasOwnCompiler, **WITHOUT_WRAPPERS)
    try:
        yield
    finally:
        _OverloadFunctionTemplate._get_jit_decorator = before


def without_constants(dispatcher: Any) -> Any:
    """Let compiled callers pass a constant like any other number of its type, so that both share one compilation."""
    template = dispatcher.get_call_template

    def general(arguments: Any, named: Any) -> Any:
        return template(tuple(map(types.unliteral, arguments)), {name: types.unliteral(value) for name, value in named.items()})

    dispatcher.get_call_template = general
    return dispatcher
