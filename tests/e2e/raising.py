"""Short scripts for tests of failures: a handler around a few lines of a method's body."""

from __future__ import annotations

import textwrap

SIMPLE = """
import os, sys, threading, time
import isapi
from isapi import InternalReloadException, isapicon
from isapi.simple import SimpleExtension

{prelude}

def reply(ecb, text="fine", status="200 OK"):
    ecb.SendResponseHeaders(status, "Content-Type: text/plain\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(text), 1)
    ecb.WriteClient(text)


class Extension(SimpleExtension):
    "Test"

    def HttpExtensionProc(self, ecb):
        path, query = ecb.PathInfo, ecb.QueryString
        if path == b"/fine":
            reply(ecb)
            return 1
{body}

{methods}

def __ExtensionFactory__():
    return Extension()
"""

POOL = """
import os, sys, threading, time
import isapi
from isapi import isapicon
from isapi.threaded_extension import OVERLAPPED, PostQueuedCompletionStatus, ThreadPoolExtension

{prelude}

def reply(ecb, text="fine", status="200 OK"):
    ecb.SendResponseHeaders(status, "Content-Type: text/plain\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(text), 1)
    ecb.WriteClient(text)


class Extension(ThreadPoolExtension):
    "Test"
    max_workers = 2

    def Dispatch(self, ecb):
        path, query = ecb.PathInfo, ecb.QueryString
        if path == b"/fine":
            reply(ecb)
            ecb.DoneWithSession()
            return
{body}

{methods}

def __ExtensionFactory__():
    return Extension()
"""


def simple(body: str, methods: str = "", prelude: str = "") -> str:
    """Return a script whose HttpExtensionProc has this body; /fine is answered before it."""
    return _fill(SIMPLE, body, methods, prelude)


def pool(body: str, methods: str = "", prelude: str = "") -> str:
    """Return a script whose Dispatch has this body; /fine is answered before it."""
    return _fill(POOL, body, methods, prelude)


def _fill(template: str, body: str, methods: str, prelude: str) -> str:
    indented = {
        "body": textwrap.indent(textwrap.dedent(body), " " * 8),
        "methods": textwrap.indent(textwrap.dedent(methods), " " * 4),
    }
    return template.format(prelude=textwrap.dedent(prelude), **indented)
