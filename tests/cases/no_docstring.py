from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n")
        ecb.WriteClient("no description needed")
        return 1


def __ExtensionFactory__():
    return Extension()
