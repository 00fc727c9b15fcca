"""What a server process needs in order to run scripts.

The bridge calls :func:`prepare` once for each script before it imports the script's module through
:func:`import_module`. What `prepare` does is process-wide and safe to repeat. Nothing here runs when a
program merely imports pyisapi.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyisapi
from pyisapi import _failure, install, isapicon, simple, threaded_extension
from pyisapi._log_writer import LogWriter, as_json, to_descriptor, to_file


def prepare(
    folder: str, library_handle: int, frozen: bool, name: str = "pyisapi", paths: Sequence[str] = ()
) -> None:
    """Make this process ready for the script ``name``, whose loader library lies in ``folder``.

    ``library_handle`` is that library's module handle; ``frozen`` means that the script does not lie on
    disk, so its folder stays off ``sys.path``; ``paths`` are further folders for ``sys.path``, from the
    script's configuration. A process without output streams logs to ``name.log`` beside the script, its
    first script if it runs several.
    """
    if _failure.log_file is None:
        _failure.log_file = os.path.join(folder, f"{name}.log")
    _alias_isapi()
    _offer_win32traceutil()
    _join_output_to_log(_failure.log_file)
    if not getattr(sys, "argv", None):
        sys.argv = [""]
    # Scripts test for this attribute to learn that they run inside a server.
    setattr(sys, "isapidllhandle", library_handle)  # noqa: B010 -- typeshed does not know the name
    # The script's folder comes first, then what its configuration adds.
    wanted = [*paths] if frozen else [folder, *paths]
    sys.path[:0] = [entry for entry in dict.fromkeys(wanted) if entry not in sys.path]


def import_module(name: str, folder: str | None) -> ModuleType:
    """Import a script's module; with a folder, the module that lies in it.

    A folder's script counts even if another module has its name: the script of another site, or a library
    that was imported before.
    """
    if folder is None:
        return importlib.import_module(name)
    source = os.path.join(folder, f"{name}.py")
    # A file name with dots would be taken for a module inside of packages.
    if "." not in name or not os.path.isfile(source):
        module = importlib.import_module(name)
        if _is_from(module, source) or not os.path.isfile(source):
            return module
    return _load_file(name, source)


def reload_module(module: ModuleType) -> ModuleType:
    """Execute a script's module anew in its own namespace and return it.

    Unlike :func:`importlib.reload` this does not search for it again: by now another folder may come first.
    """
    _execute(module)
    return module


def _load_file(name: str, source: str) -> ModuleType:
    """Load a script by its path, as ``name`` or, beside another module of that name, as ``name__2``."""
    unique = name
    for number in itertools.count(2):
        loaded = sys.modules.get(unique)
        if loaded is None:
            break
        if _is_from(loaded, source):
            return loaded
        unique = f"{name}__{number}"
    spec = importlib.util.spec_from_file_location(unique, source)
    if spec is None:
        raise ImportError(f"{source} cannot be loaded as a module", name=name, path=source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        _execute(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def _execute(module: ModuleType) -> None:
    spec = module.__spec__
    if spec is None or spec.loader is None:
        raise ImportError(f"{module.__name__} has no loader", name=module.__name__)
    spec.loader.exec_module(module)


def _is_from(module: ModuleType, source: str) -> bool:
    """Say whether a module was loaded from this source file."""
    file = getattr(module, "__file__", None)
    return file is not None and os.path.realpath(file) == os.path.realpath(source)


def _alias_isapi() -> None:
    """Let ``isapi`` mean this package, even where pywin32's package of that name is installed."""
    modules: dict[str, ModuleType] = {
        "isapi": pyisapi,
        "isapi.install": install,
        "isapi.isapicon": isapicon,
        "isapi.simple": simple,
        "isapi.threaded_extension": threaded_extension,
    }
    sys.modules.update(modules)


class _Win32TraceUtilFinder(MetaPathFinder):
    """Finds the stand-in for ``win32traceutil``; last in the row, so a real one is found first."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the stand-in's spec for its one name."""
        if fullname != "win32traceutil":
            return None
        stand_in = os.path.join(os.path.dirname(__file__), "_win32traceutil.py")
        return importlib.util.spec_from_file_location(fullname, stand_in)


def _offer_win32traceutil() -> None:
    if not any(isinstance(finder, _Win32TraceUtilFinder) for finder in sys.meta_path):
        sys.meta_path.append(_Win32TraceUtilFinder())


def _join_output_to_log(log_file: str) -> None:
    """Send what a script prints to standard error, or to a file where there is none, whole line by line."""
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        sys.stderr = _log_writer(log_file)
    # Standard output is the server's, for its own messages; one that a script has set is the script's affair.
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = sys.stderr


def _log_writer(log_file: str) -> LogWriter:
    descriptor = None
    if sys.stderr is not None:
        sys.stderr.flush()
        descriptor = sys.stderr.fileno()
    sink = to_file(log_file) if descriptor is None else to_descriptor(descriptor)
    if os.environ.get("PYISAPI_LOG_FORMAT") == "json":
        sink = as_json(sink)
    return LogWriter(sink, descriptor)
