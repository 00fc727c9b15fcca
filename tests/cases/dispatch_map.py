"""Keys of the script's own in dispatch_map: work for the pool that is no request."""
import queue

from isapi import isapicon
from isapi.threaded_extension import OVERLAPPED, PostQueuedCompletionStatus, ThreadPoolExtension

WORK = 77


class Extension(ThreadPoolExtension):
    "Posts work to its own pool"

    def __init__(self):
        ThreadPoolExtension.__init__(self)
        self.dispatch_map[WORK] = self.do_work
        self.results = queue.Queue()

    def do_work(self, errCode, bytes, key, overlapped):
        self.results.put((errCode, bytes, key, overlapped.object))

    def Dispatch(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", False)
        overlapped = OVERLAPPED()
        overlapped.object = "an object"
        if ecb.PathInfo == b"/method":
            self.io_req_port.post(6, WORK, overlapped)
        else:
            PostQueuedCompletionStatus(self.io_req_port, 5, WORK, overlapped)
        print(self.results.get(timeout=5), file=ecb)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
