"""The decorators of the inner loops, which are compiled at their first call and not at import.

A module of loops can thus be imported by whoever may not call them: the first call loads numba,
which takes half a second. The loops release the GIL, so that threads suffice, and are cached on
disk where that can be done. Where it cannot be, they are compiled anew by each process, which takes
some seconds.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

_LOCK: Final = threading.Lock()
_listeners: list[Callable[[], None]] = []
"""Who is to be told, once, that a loop is being compiled and was not on disk."""


class CompiledLoop:
    """A loop that is compiled at its first call, or at that of a loop that calls it.

    Args:
        function: the loop in Python.
        cached: whether it is kept on disk. A part needs no place of its own there.
        targetoptions: options of numba; that is what numba calls them where it asks for them.
    """

    __name__: str

    def __init__(
        self, function: Callable[..., Any], *, cached: bool, targetoptions: dict[str, Any]
    ) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self.targetoptions = targetoptions
        self._cached = cached
        self._dispatcher: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Run the loop."""
        return (self._dispatcher or self.dispatcher)(*arguments)

    @property
    def dispatcher(self) -> Any:
        """The loop as numba has it."""
        with _LOCK:  # the first calls may come from several threads
            if self._dispatcher is None:
                self._dispatcher = _new_dispatcher(
                    self.py_func, cached=self._cached, options=self.targetoptions
                )
                names: dict[str, Any] = getattr(self.py_func, "__globals__", {})
                if names.get(self.__name__) is self:
                    names[self.__name__] = self._dispatcher  # spares later calls the way over here
        return self._dispatcher

    @property
    def _numba_type_(self) -> Any:
        """How numba, compiling another loop, learns what a name in it stands for."""
        return self.dispatcher._numba_type_


def tell_of_compiling(listener: Callable[[], None]) -> None:
    """Have somebody told when this process compiles its first loop, which takes seconds.

    Args:
        listener: called once, before that, from any thread.
    """
    _listeners[:] = [listener]


def compiled(function: Callable[..., Any]) -> CompiledLoop:
    """Compile a loop at its first call, or take it from the cache on disk.

    The cache is a folder beside the source, or in the home, or NUMBA_CACHE_DIR; it is done without
    where none of them can be written.
    """
    return CompiledLoop(function, cached=True, targetoptions={"nogil": True})


def compiled_part(function: Callable[..., Any]) -> CompiledLoop:
    """Compile what only loops call, as a part of each."""
    return CompiledLoop(function, cached=False, targetoptions={})


def inlined_part(function: Callable[..., Any]) -> CompiledLoop:
    """Compile what only loops call, with its text put into theirs."""
    return CompiledLoop(function, cached=False, targetoptions={"inline": "always"})


def _new_dispatcher(function: Callable[..., Any], *, cached: bool, options: dict[str, Any]) -> Any:
    import numba

    _load_without_blas()
    dispatcher = numba.njit(**options)(function)
    if cached:
        with suppress(RuntimeError):  # no folder can be written
            # As enable_caching() does with numba's own.
            dispatcher._cache = _forgiving_cache()(function)
    return dispatcher


@functools.cache
def _forgiving_cache() -> Any:
    """The class of numba's cache on disk where no full disk and no damaged file stops the work."""
    from numba.core.caching import FunctionCache

    class ForgivingCache(FunctionCache):  # type: ignore[misc]  # numba has no types
        def load_overload(self, sig: Any, target_context: Any) -> Any:
            """What is cached for a signature; None, to be compiled, where it cannot be read."""
            with suppress(Exception):  # whatever unpickling a damaged file may raise
                if found := super().load_overload(sig, target_context):
                    return found
            with suppress(IndexError):
                _listeners.pop()()
            return None

        def save_overload(self, sig: Any, data: Any) -> None:
            """Cache what was compiled for a signature, if there is room."""
            with suppress(OSError):
                try:
                    super().save_overload(sig, data)
                except OSError:
                    raise
                except Exception:  # the list there is damaged, or names what another version had
                    self.flush()
                    super().save_overload(sig, data)

    return ForgivingCache


@functools.cache
def _load_without_blas() -> None:
    """Load numba's array functions without SciPy's linear algebra, for which they look at once.

    That takes half a second, and no loop here multiplies matrices. A loop of anybody else that does
    looks for itself when it is compiled.
    """
    from numba.np import linalg

    look = getattr(linalg, "ensure_blas", None)
    linalg.ensure_blas = lambda: None
    try:
        from numba.np import arraymath  # noqa: F401
    finally:
        linalg.ensure_blas = look
