"""Send the request's body back, on a thread of the extension's own pool."""

from isapi.threaded_extension import ThreadPoolExtension


class Extension(ThreadPoolExtension):
    """Echo over ThreadPoolExtension."""

    def Dispatch(self, ecb):
        body = ecb.AvailableData + ecb.ReadClient()
        headers = b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
        ecb.SendResponseHeaders(b"200 OK", headers, True)
        ecb.WriteClient(body)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
