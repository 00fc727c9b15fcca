"""The installer that scripts call from ``if __name__ == "__main__"``. Not built yet.

This version has the parameter classes and reads the command line, runs a script's own commands, and refuses
``install`` and ``remove``, and each function that would look into a web server's configuration or change it,
with ``InstallationError``. Until then ``pyisapi serve SCRIPT`` runs a script without installing it.
Scripts import this module with ``*`` and get the standard modules of its head too.
"""

from __future__ import annotations

import importlib  # noqa: F401 -- scripts expect it of the star import, as the next three
import inspect
import optparse
import os
import shutil  # noqa: F401
import stat  # noqa: F401
import sys
import traceback  # noqa: F401
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn, TypeVar

this_dir = os.path.dirname(os.path.abspath(__file__))
"""Where this package lies."""

_Item = TypeVar("_Item")

_APP_INPROC: Final = 0
_APP_OUTPROC: Final = 1
_APP_POOLED: Final = 2

_IIS_OBJECT: Final = "IIS://LocalHost/W3SVC"
_IIS_SERVER: Final = "IIsWebServer"
_IIS_WEBDIR: Final = "IIsWebDirectory"
_IIS_WEBVIRTUALDIR: Final = "IIsWebVirtualDir"
_IIS_FILTERS: Final = "IIsFilters"
_IIS_FILTER: Final = "IIsFilter"

_DEFAULT_SERVER_NAME: Final = "Default Web Site"
_DEFAULT_HEADERS: Final = "X-Powered-By: Python"
_DEFAULT_PROTECTION: Final = _APP_POOLED
_DEFAULT_ACCESS_EXECUTE: Final = True
_DEFAULT_ACCESS_READ: Final = False
_DEFAULT_ACCESS_WRITE: Final = False
_DEFAULT_ACCESS_SCRIPT: Final = False
_DEFAULT_CONTENT_INDEXED: Final = False
_DEFAULT_ENABLE_DIR_BROWSING: Final = False
_DEFAULT_ENABLE_DEFAULT_DOC: Final = False

verbose = 1
"""How much :func:`log` prints: 0 nothing, 1 results, 2 each step."""


class InstallationError(Exception):
    """Something about the installation did not work."""


class ItemNotFound(InstallationError):
    """A site or directory that was named does not exist."""


class ConfigurationError(InstallationError):
    """The parameters contradict each other or the machine."""


class _Parameters:
    """Base of the parameter classes: keyword arguments become attributes, unknown names too.

    Hooks are attached that way: ``PreInstall``, ``PostInstall``, ``PreRemove``, ``PostRemove``.
    """

    PreInstall: Callable[..., object]
    PostInstall: Callable[..., object]
    PreRemove: Callable[..., object]
    PostRemove: Callable[..., object]

    def __init__(self, **keywords: Any) -> None:
        # Each instance owns its lists, or append() would change the class for everyone.
        for name in dir(type(self)):
            default = getattr(type(self), name)
            if isinstance(default, list):
                setattr(self, name, list(default))
        for name, value in keywords.items():
            setattr(self, name, value)


class VirtualDirParameters(_Parameters):
    """A virtual directory, normally an application, and what is mapped in it."""

    Name: str | None = None
    Description: str | None = None
    AppProtection: int = _DEFAULT_PROTECTION
    Headers: str | None = _DEFAULT_HEADERS
    Path: str | None = None
    Type: str = _IIS_WEBVIRTUALDIR
    AccessExecute: bool = _DEFAULT_ACCESS_EXECUTE
    AccessRead: bool = _DEFAULT_ACCESS_READ
    AccessWrite: bool = _DEFAULT_ACCESS_WRITE
    AccessScript: bool = _DEFAULT_ACCESS_SCRIPT
    ContentIndexed: bool = _DEFAULT_CONTENT_INDEXED
    EnableDirBrowsing: bool = _DEFAULT_ENABLE_DIR_BROWSING
    EnableDefaultDoc: bool = _DEFAULT_ENABLE_DEFAULT_DOC
    DefaultDoc: str | None = None
    ScriptMaps: list[ScriptMapParams] = []
    ScriptMapUpdate: str = "end"
    Server: str | None = None

    def is_root(self) -> bool:
        """Say whether this is the root of the site rather than something below it."""
        return self.split_path() == ["", ""]

    def split_path(self) -> list[str]:
        """Return the name as ``[parent, last part]``."""
        return split_path(self.Name or "")


class ScriptMapParams(_Parameters):
    """A script map: which requests of a directory go to which loader library."""

    Extension: str | None = None
    Module: str | None = None
    Flags: int = 5
    Verbs: str = ""
    AddExtensionFile: bool = True
    AddExtensionFile_Enabled: bool = True
    AddExtensionFile_GroupID: str | None = None
    AddExtensionFile_CanDelete: bool = True
    AddExtensionFile_Description: str | None = None

    def __str__(self) -> str:
        entry = f"{self.Extension},{self.Module},{self.Flags}"
        return f"{entry},{self.Verbs}" if self.Verbs else entry


class FilterParameters(_Parameters):
    """A filter of a site."""

    Name: str | None = None
    Description: str | None = None
    Path: str | None = None
    Server: str | None = None
    AddExtensionFile: bool = True
    AddExtensionFile_Enabled: bool = True
    AddExtensionFile_GroupID: str | None = None
    AddExtensionFile_CanDelete: bool = True
    AddExtensionFile_Description: str | None = None


class ISAPIParameters(_Parameters):
    """All that a script wants installed."""

    ServerName: str = _DEFAULT_SERVER_NAME
    Filters: list[FilterParameters] = []
    VirtualDirs: list[VirtualDirParameters] = []


def log(level: int, what: object) -> None:
    """Print a message if the verbosity asks for its level."""
    if verbose >= level:
        print(what)


def split_path(path: str) -> list[str]:
    """Split a directory's name into ``[parent, last part]``; the root gives two empty parts."""
    rooted = path if path.startswith("/") else "/" + path
    parent, _, name = rooted.rpartition("/")
    return [parent, name]


def get_unique_items(sequence: Iterable[_Item], reference: Iterable[_Item]) -> tuple[_Item, ...]:
    """Return the items that are not in the reference, in their order."""
    known = list(reference)
    return tuple(item for item in sequence if item not in known)


def GetLoaderModuleName(mod_name: str, check_module: bool | None = None) -> str:
    """Return the absolute path of the loader library that belongs to a script.

    ``check_module=True``, which refreshes the library, is refused: that belongs to the installer.
    """
    if check_module:
        raise ConfigurationError("ISAPI0090 refreshing the loader library is not available in this version")
    folder, file_name = os.path.split(mod_name)
    base = os.path.splitext(file_name)[0]
    # The frozen program foo.exe or foow.exe installs foo.dll, which itself loads the loader.
    library = base.removesuffix("w") if hasattr(sys, "frozen") else "_" + base
    suffix = ".dll" if sys.platform == "win32" else ".so"
    return os.path.abspath(os.path.join(folder, library + suffix))


# What follows looks into a web server's configuration or changes it: not available in this version.


def InstallModule(
    conf_module_name: str, params: ISAPIParameters, options: optparse.Values, log: Callable[..., object] = log
) -> NoReturn:
    """Install the extension or filter. Not available in this version."""
    raise _not_available("install", conf_module_name)


def UninstallModule(
    conf_module_name: str, params: ISAPIParameters, options: optparse.Values, log: Callable[..., object] = log
) -> NoReturn:
    """Remove the extension or filter. Not available in this version."""
    raise _not_available("remove", conf_module_name)


def Install(params: ISAPIParameters, options: optparse.Values) -> NoReturn:
    """Create the directories and filters. Not available in this version."""
    raise _not_available("Install")


def Uninstall(params: ISAPIParameters, options: optparse.Values) -> NoReturn:
    """Remove the directories and filters. Not available in this version."""
    raise _not_available("Uninstall")


def CheckLoaderModule(dll_name: str) -> NoReturn:
    """Refresh the loader library beside a script. Not available in this version."""
    raise _not_available("CheckLoaderModule")


def CreateDirectory(params: VirtualDirParameters, options: optparse.Values) -> NoReturn:
    """Create a virtual directory and return its node. Not available in this version."""
    raise _not_available("CreateDirectory")


def RemoveDirectory(params: VirtualDirParameters, options: optparse.Values) -> NoReturn:
    """Remove a virtual directory. Not available in this version."""
    raise _not_available("RemoveDirectory")


def AssignScriptMaps(
    script_maps: Iterable[ScriptMapParams], target: Any, update: str = "replace"
) -> NoReturn:
    """Set the script maps of a node. Not available in this version."""
    raise _not_available("AssignScriptMaps")


def RemoveScriptMaps(vd_params: VirtualDirParameters, options: optparse.Values) -> NoReturn:
    """Remove the script maps of a directory. Not available in this version."""
    raise _not_available("RemoveScriptMaps")


def CreateISAPIFilter(filterParams: FilterParameters, options: optparse.Values) -> NoReturn:
    """Create a filter and return its node. Not available in this version."""
    raise _not_available("CreateISAPIFilter")


def DeleteISAPIFilter(filterParams: FilterParameters, options: optparse.Values) -> NoReturn:
    """Remove a filter. Not available in this version."""
    raise _not_available("DeleteISAPIFilter")


def AddExtensionFiles(params: ISAPIParameters, options: optparse.Values) -> NoReturn:
    """Allow the libraries of the parameters to be loaded. Not available in this version."""
    raise _not_available("AddExtensionFiles")


def DeleteExtensionFileRecords(params: ISAPIParameters, options: optparse.Values) -> NoReturn:
    """Take the libraries off the list of what may be loaded. Not available in this version."""
    raise _not_available("DeleteExtensionFileRecords")


def FindPath(options: optparse.Values, server: str | None, name: str) -> str:
    """Return the node's path of a directory; only a whole ``iis://`` path is known in this version."""
    if name.lower().startswith("iis://"):
        return name
    raise _not_available("FindPath")


def LocateWebServerPath(description: str) -> NoReturn:
    """Return the path of a site by its number or name. Not available in this version."""
    raise _not_available("LocateWebServerPath")


def GetWebServer(description: str | None = None) -> NoReturn:
    """Return the object of a site. Not available in this version."""
    raise _not_available("GetWebServer")


def LoadWebServer(path: str) -> NoReturn:
    """Return the object of a site by its path. Not available in this version."""
    raise _not_available("LoadWebServer")


def FindWebServer(options: optparse.Values, server_desc: str | None) -> NoReturn:
    """Return the path of the site that is meant. Not available in this version."""
    raise _not_available("FindWebServer")


def _not_available(what: str, conf_module_name: str = "SCRIPT") -> InstallationError:
    return InstallationError(
        f"ISAPI0090 {what} is not available in this version; run: pyisapi serve {conf_module_name}"
    )


standard_arguments: dict[str, Callable[..., object]] = {"install": InstallModule, "remove": UninstallModule}


def MergeStandardOptions(options: optparse.Values, params: ISAPIParameters) -> None:
    """Do nothing; scripts may replace this to take options into the parameters."""


def build_usage(handler_map: Mapping[str, Callable[..., object]]) -> str:
    """Return the usage text: each word with its handler's docstring."""
    lines = ["%prog [options] [" + "|".join(sorted(handler_map)) + "]", "", "commands:"]
    for word, handler in sorted(handler_map.items()):
        summary = (inspect.getdoc(handler) or "").split("\n", 1)[0]
        lines.append(f"  {word:<12} {summary}".rstrip())
    return "\n".join(lines)


def HandleCommandLine(
    params: ISAPIParameters,
    argv: list[str] | None = None,
    conf_module_name: str | None = None,
    default_arg: str = "install",
    opt_parser: optparse.OptionParser | None = None,
    custom_arg_handlers: Mapping[str, Callable[..., object]] = {},
) -> None:
    """Run the words of a script's command line, a script's own words first of all.

    ``install`` and ``remove`` are refused in this version, with exit status 1; see the module's docstring.
    """
    global verbose
    argv = sys.argv if argv is None else argv
    conf_module_name = os.path.abspath(conf_module_name or sys.argv[0])
    handlers = {**standard_arguments, **custom_arg_handlers}
    parser = optparse.OptionParser("") if opt_parser is None else opt_parser
    _add_standard_options(parser)
    # A script's own usage text stays, the words follow it.
    parser.set_usage("\n".join(filter(None, [parser.usage, build_usage(handlers)])))
    options, words = parser.parse_args(argv[1:])
    verbose = options.verbose
    MergeStandardOptions(options, params)

    handlers.setdefault("uninstall", handlers["remove"])
    words = words or [default_arg]
    # Before the first of them changes anything.
    for word in words:
        if word not in handlers:
            parser.error(f"unknown command {word!r}")
    for word in words:
        try:
            _call(handlers[word], word, conf_module_name, params, options)
        except InstallationError as error:
            text = str(error)
            print(text if text.startswith("ISAPI") else f"{type(error).__name__}: {text}", file=sys.stderr)
            sys.exit(1)


def _add_standard_options(parser: optparse.OptionParser) -> None:
    parser.add_option("-q", "--quiet", action="store_false", dest="verbose", help="print nothing")
    parser.add_option(
        "-v", "--verbosity", action="count", dest="verbose", default=1, help="print more; twice: each step"
    )
    parser.add_option("--server", metavar="NAME", help="number or name of the site")


def _call(
    handler: Callable[..., object],
    word: str,
    conf_module_name: str,
    params: ISAPIParameters,
    options: optparse.Values,
) -> None:
    """Call a handler with four arguments, or with the three that old samples promise."""
    try:
        parameters = inspect.signature(handler)
    except ValueError:  # some native callables have no signature
        parameters = None
    if parameters is not None and not _takes(parameters, 4) and _takes(parameters, 3):
        handler(options, log, word)
    else:
        handler(conf_module_name, params, options, log)


def _takes(parameters: inspect.Signature, count: int) -> bool:
    try:
        parameters.bind(*range(count))
    except TypeError:
        return False
    return True
