"""Overrides DispatchConnection, as programs do that want no impersonation."""
import sys

from isapi.threaded_extension import ThreadPoolExtension


class Extension(ThreadPoolExtension):
    "Own way of connections"

    def DispatchConnection(self, errCode, bytes, key, overlapped):
        ecb = overlapped.object
        try:
            self.where = (errCode, bytes, key)
            self.Dispatch(ecb)
        except Exception:
            self.HandleDispatchError(ecb)

    def Dispatch(self, ecb):
        if ecb.QueryString:
            raise RuntimeError("on demand")
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", False)
        print(self.where, file=ecb)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
