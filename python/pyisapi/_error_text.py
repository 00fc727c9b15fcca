"""Texts for Win32 error codes.

The server reports Win32 codes on every platform. Windows has a text for each; elsewhere this table covers
the codes that an ISAPI server gives. The texts are for people, nothing may depend on their wording.
"""

from __future__ import annotations

import sys

_TEXTS = {
    2: "The file was not found.",
    3: "The path was not found.",
    5: "Access is denied.",
    6: "The handle is invalid.",
    8: "Out of memory.",
    13: "The data is invalid.",
    14: "Out of memory.",
    32: "The file is in use by another process.",
    38: "End of file.",
    50: "The request is not supported.",
    64: "The network connection is gone.",
    87: "The parameter is incorrect.",
    109: "The pipe has been ended.",
    120: "The function is not available here.",
    122: "The buffer is too small.",
    123: "The file name is not valid.",
    126: "The module was not found.",
    127: "The procedure was not found.",
    183: "The file already exists.",
    206: "The file name is too long.",
    232: "There is no data.",
    234: "More data is available.",
    258: "The wait timed out.",
    995: "The I/O operation was aborted.",
    996: "The overlapped I/O is not finished.",
    997: "The overlapped I/O is in progress.",
    998: "Invalid access to memory.",
    1168: "The element was not found.",
    1223: "The operation was cancelled.",
    1229: "The network connection does not exist.",
    1236: "The network connection was aborted by this machine.",
    1314: "A required privilege is not held.",
    1413: "Invalid index.",
    1460: "The operation timed out.",
    10022: "Invalid argument.",
    10053: "The connection was aborted by this machine.",
    10054: "The connection was reset by the peer.",
    10060: "The connection timed out.",
}


def describe(errno: int) -> str:
    """Return a one-line text for a Win32 error code."""
    if sys.platform == "win32":
        import ctypes

        return ctypes.FormatError(errno).strip()
    return _TEXTS.get(errno, f"Win32 error {errno}.")
