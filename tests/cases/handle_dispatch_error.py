"""A subclass's own page for errors; sys.exc_info() is set while it is called."""
import sys

from isapi.threaded_extension import ThreadPoolExtension


class Extension(ThreadPoolExtension):
    "Own error page"

    def Dispatch(self, ecb):
        if ecb.PathInfo == b"/exit":
            sys.exit("enough")
        raise KeyError(ecb.PathInfo.decode())

    def HandleDispatchError(self, ecb):
        kind, value, _ = sys.exc_info()
        ecb.SendResponseHeaders("503 Busy", "Content-type: text/plain\r\nRetry-After: 1\r\n\r\n", False)
        print(kind.__name__, value, file=ecb)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
