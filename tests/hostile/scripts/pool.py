"""A thread pool that answers every request with a few bytes; /live tells how many requests the bridge holds."""

from pyisapi import _bridge

from isapi import isapicon
from isapi.threaded_extension import ThreadPoolExtension


class Pool(ThreadPoolExtension):
    max_workers = 8

    def Dispatch(self, ecb):
        body = str(_bridge.live_requests()).encode("ascii") if ecb.PathInfo == b"/live" else b"answer"
        head = "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
        ecb.SendResponseHeaders("200 OK", head, True)
        ecb.WriteClient(body)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Pool()
