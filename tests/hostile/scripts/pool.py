"""A thread pool that answers every request with a few bytes.

/live tells how many requests the bridge holds, /large gives four megabytes.
"""

from isapi.threaded_extension import ThreadPoolExtension
from pyisapi import _bridge


def answer(name):
    if name == b"live":
        return str(_bridge.live_requests()).encode("ascii")
    return b"x" * 4_000_000 if name == b"large" else b"answer"


class Pool(ThreadPoolExtension):
    max_workers = 8

    def Dispatch(self, ecb):
        body = answer(ecb.PathInfo.rpartition(b"/")[2])
        head = f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        ecb.SendResponseHeaders("200 OK", head, True)
        ecb.WriteClient(body)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Pool()
