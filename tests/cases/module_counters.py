"""State in module globals, with a lock, as scripts keep it between requests."""
import threading

from isapi import isapicon
from isapi.simple import SimpleExtension

lock = threading.Lock()
hits = {}


class Extension(SimpleExtension):
    "Counts"

    def HttpExtensionProc(self, ecb):
        with lock:
            path = ecb.PathInfo.decode("ascii")
            hits[path] = hits.get(path, 0) + 1
            total = sum(hits.values())
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
        print(path, hits[path], "of", total, file=ecb)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
