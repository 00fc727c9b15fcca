"""Look at every request, and have the server answer those that may pass: ExecURL.

Served as the whole site, by ``pyisapi serve exec_url.py --root static``, it stands before the files of a
folder. Below a prefix it stands before the rest of the site: ``/exec_url/hello/`` is answered as ``/hello/``
is. Files that editors leave behind are refused; all else passes, with its method, headers and body, and what
the server answers goes to the client as it is.
"""

from __future__ import annotations

import re
import string
from urllib.parse import quote

import isapi
from isapi import isapicon
from isapi.simple import SimpleExtension

LEFT_BEHIND = (b"~", b".bak", b".orig", b".swp")


class Extension(SimpleExtension):
    """Stands before the pages of the server."""

    def HttpExtensionProc(self, control_block: isapi.EXTENSION_CONTROL_BLOCK) -> int:
        """Refuse the request, or hand it on and return at once."""
        if control_block.GetServerVariable("URL").lower().endswith(LEFT_BEHIND):
            refuse(control_block)
            return isapicon.HSE_STATUS_SUCCESS
        # Called on a thread of the server when the answer has gone out.
        control_block.IOCompletion(answered)
        # Without this flag the server would ask whoever takes the URL first, and that is this extension.
        flags = isapicon.HSE_EXEC_URL_IGNORE_CURRENT_INTERCEPTOR
        # None stands for what the request itself has: method, headers, user, and the body, not read so far.
        control_block.ExecURL(url_behind(control_block), None, None, None, None, flags)
        return isapicon.HSE_STATUS_PENDING


def __ExtensionFactory__() -> Extension:
    return Extension()


def answered(ecb: isapi.EXTENSION_CONTROL_BLOCK, argument: object, count: int, error: int) -> None:
    """Note how the server answered, and finish the request."""
    status, sub_status, win32_error = ecb.GetExecURLStatus()
    url = ecb.GetServerVariable("HTTP_URL").decode("latin-1")
    print(f"exec_url: {url} was answered with {status}.{sub_status}, error {win32_error}")
    ecb.DoneWithSession(isapicon.HSE_STATUS_ERROR if error else isapicon.HSE_STATUS_SUCCESS)


def refuse(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
    """Say that there is nothing to see."""
    body = b"Not for the public.\n"
    headers = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    ecb.SendResponseHeaders("403 Forbidden", headers, True)
    ecb.WriteClient(body)


def url_behind(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> str | None:
    """Return the URL without the prefix of this application; None, the same URL, if there is no prefix."""
    # /LM/W3SVC/1/ROOT/exec_url: what follows ROOT.
    application = ecb.GetServerVariable("APPL_MD_PATH").decode()
    prefix = quote(re.sub(r"^.*?/ROOT", "", application, flags=re.IGNORECASE)).rstrip("/")
    if not prefix:
        return None
    # As the client wrote it; only what is no URL gets escaped.
    url = quote(ecb.GetServerVariable("HTTP_URL"), safe=string.punctuation)
    if url[: len(prefix)].lower() == prefix.lower():
        url = url[len(prefix) :]
    return url if url.startswith("/") else "/" + url
