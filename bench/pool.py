"""Say hello on a thread of the extension's own pool."""

from isapi.threaded_extension import ThreadPoolExtension

BODY = b"Hello, world!\n"
HEADERS = b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY)


class Extension(ThreadPoolExtension):
    """Hello over ThreadPoolExtension."""

    def Dispatch(self, ecb):
        ecb.SendResponseHeaders(b"200 OK", HEADERS, True)
        ecb.WriteClient(BODY)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
