"""A bound class method is the factory."""
import sys

from isapi import isapicon


class Extension:
    made = 0

    @classmethod
    def create(cls):
        cls.made += 1
        return cls()

    def GetExtensionVersion(self, vi):
        vi.ExtensionDesc = b"by class method"
        return True

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n")
        ecb.WriteClient("made %d" % self.made)
        return isapicon.HSE_STATUS_SUCCESS_AND_KEEP_CONN

    def TerminateExtension(self, status):
        print("terminated", status, file=sys.stderr)
        return True


__ExtensionFactory__ = Extension.create
