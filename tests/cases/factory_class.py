"""The class itself is the factory."""
from isapi.simple import SimpleExtension


class __ExtensionFactory__(SimpleExtension):
    """Made by calling the class"""

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n")
        ecb.WriteClient(self.__doc__)
        return 1
