"""A constructor that does not call the base's."""
from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Own constructor"

    def __init__(self, greeting):
        self.greeting = greeting

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
        ecb.write(self.greeting)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension("greetings")
