"""Runs the Python source that a request brings and answers with what came of it, as JSON.

The source is in the header X-Source, percent-encoded; its last line is an expression. The path says when it
runs: /run before the answer, /quiet instead of an answer of ours, /late after DoneWithSession, /pending on a
thread of its own while HttpExtensionProc returns, /refused the same even if the source raises; /last gives the outcome of a source that could not answer by
itself. The query of /last, and the header X-Run of the others, is the name of the run.
"""

import ast
import collections
import json
import queue
import threading
from urllib.parse import unquote

import isapi
from isapi import isapicon

runs = collections.defaultdict(queue.Queue)
kept = {}


def reply(ecb, text, status="200 OK"):
    body = text.encode("utf-8")
    head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ecb.SendResponseHeaders(status, head, 1)
    ecb.WriteClient(body)


def outcome(source, ecb, outcomes):
    names = {"ecb": ecb, "kept": kept, "outcomes": outcomes}
    names |= {"isapi": isapi, "isapicon": isapicon, "reply": reply}
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value)
    try:
        exec(compile(tree, "snippet", "exec"), names)
        value = eval(compile(last, "snippet", "eval"), names)
    except BaseException as error:
        base = type(error).__mro__[1].__name__
        return json.dumps({"raises": type(error).__name__, "base": base, "args": repr(error.args)})
    return json.dumps({"type": type(value).__name__, "repr": repr(value)})


class Extension:
    """Runs what it is told."""

    def GetExtensionVersion(self, vi):
        vi.ExtensionDesc = "probe"

    def HttpExtensionProc(self, ecb):
        path = ecb.PathInfo.decode()
        if path == "/last":
            reply(ecb, runs[ecb.QueryString].get(timeout=8))
            return isapicon.HSE_STATUS_SUCCESS
        source = unquote(ecb.GetServerVariable("HTTP_X_SOURCE").decode("ascii"))
        outcomes = runs[ecb.GetServerVariable("HTTP_X_RUN", b"")]
        if path == "/run":
            reply(ecb, outcome(source, ecb, outcomes))
            return isapicon.HSE_STATUS_SUCCESS
        if path in ("/pending", "/refused"):
            finish = path == "/pending"
            threading.Thread(target=self.run_pending, args=(source, ecb, outcomes, finish)).start()
            return isapicon.HSE_STATUS_PENDING
        if path == "/late":
            reply(ecb, "{}")
            ecb.DoneWithSession()
        outcomes.put(outcome(source, ecb, outcomes))
        return isapicon.HSE_STATUS_SUCCESS

    def run_pending(self, source, ecb, outcomes, finish):
        """Leave it to the source to finish the request, unless it fails although it ought not to."""
        text = outcome(source, ecb, outcomes)
        if finish and "raises" in json.loads(text):
            try:
                ecb.DoneWithSession(isapicon.HSE_STATUS_ERROR)
            except RuntimeError:
                pass  # it had finished before it failed
        outcomes.put(text)

    def TerminateExtension(self, status):
        pass


def __ExtensionFactory__():
    return Extension()
