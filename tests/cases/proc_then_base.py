"""HttpExtensionProc looks at the request first and leaves the rest to the pool."""
from isapi import isapicon
from isapi.threaded_extension import ThreadPoolExtension


class Extension(ThreadPoolExtension):
    "Fast answers without the pool"

    def HttpExtensionProc(self, ecb):
        if ecb.PathInfo == b"/fast":
            ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", False)
            ecb.WriteClient("fast")
            return isapicon.HSE_STATUS_SUCCESS
        result = ThreadPoolExtension.HttpExtensionProc(self, ecb)
        assert result == isapicon.HSE_STATUS_PENDING
        return result

    def Dispatch(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", False)
        ecb.WriteClient("by the pool")
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
