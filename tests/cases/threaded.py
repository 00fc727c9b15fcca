"""A thread pool: Dispatch runs on workers and finishes each request itself."""
import threading

from isapi import isapicon
from isapi.threaded_extension import ThreadPoolExtension


class Extension(ThreadPoolExtension):
    "Pool of workers"

    max_workers = 3

    def Dispatch(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", False)
        on_worker = threading.current_thread() in self.workers
        print(len(self.workers), on_worker, ecb.PathInfo.decode(), file=ecb)
        ecb.DoneWithSession()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
