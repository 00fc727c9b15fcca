"""Shows the variables that the query names, with a default for those that there are not."""
from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Shows variables"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
        for name in ecb.QueryString.decode("ascii").split("&"):
            print(name, "=", repr(ecb.GetServerVariable(name, "<not there>")), file=ecb)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
