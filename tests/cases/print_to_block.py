"""print writes its pieces to the client, whatever their type."""
from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Prints"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain; charset=utf-8\r\n\r\n", False)
        print("one", 2, [3], sep=", ", file=ecb)
        print("grün", end="", file=ecb)
        print(file=ecb)
        for name in "REQUEST_METHOD", "NO_SUCH_VARIABLE":
            print("%s = %r" % (name, ecb.GetServerVariable(name, None)), file=ecb)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
