"""Helpers of kernels: lowered to LLVM code once, and optimised as a part of each kernel that calls them, never by themselves.

Numba treats a function that other compiled functions call as one that Python might call too: it optimises the function by itself and makes
machine code of it, which nobody runs, and merges it into its caller, where all of it is optimised again. It also compiles the function
anew for each constant among its arguments, first of all for the 0 that a loop's counter starts from. Most of the time that compiling
takes goes there; the optimiser sees a constant anyway where the helper is merged.

Invariant: imported by `curation.text.kernels` alone, after the cache folder is set.
"""

# mypy: allow-untyped-calls
# (numba's own classes and functions say no types)

from typing import Any

from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.typed_passes import NativeLowering

__all__ = ["PartCompiler", "without_constants"]


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


class PartCompiler(CompilerBase):
    """Numba's own passes, which stop where machine code would be made."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        self.state.library = _Part(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.flags.no_compile = True
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_NameForCallers, NativeLowering)
        passes.finalize()
        return [passes]


def without_constants(dispatcher: Any) -> Any:
    """Let callers in compiled code pass a constant as any other number of its type, so that both share one compilation."""
    template = dispatcher.get_call_template

    def general(arguments: Any, named: Any) -> Any:
        return template(tuple(map(types.unliteral, arguments)), {name: types.unliteral(value) for name, value in named.items()})

    dispatcher.get_call_template = general
    return dispatcher
