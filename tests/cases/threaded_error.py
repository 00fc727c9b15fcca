"""An exception in Dispatch: the default page, without anything of the script's or the client's."""
from isapi.threaded_extension import ThreadPoolExtension


class Extension(ThreadPoolExtension):
    "Fails on demand"

    def Dispatch(self, ecb):
        if ecb.QueryString:
            raise ValueError("secret <b>" + ecb.QueryString.decode())
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", False)
        ecb.WriteClient("fine")
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
