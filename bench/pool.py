"""Answer on a thread of the extension's own pool."""

from answer import BODY

from isapi.threaded_extension import ThreadPoolExtension

HEADERS = b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY)


class Extension(ThreadPoolExtension):
    """A fixed answer over ThreadPoolExtension."""

    def Dispatch(self, ecb):
        ecb.SendResponseHeaders(b"200 OK", HEADERS, True)
        ecb.WriteClient(BODY)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
