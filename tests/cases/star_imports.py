from isapi.isapicon import *
from isapi.threaded_extension import *
from isapi.simple import *
from isapi.install import *


class Extension(ThreadPoolExtension):
    "Everything by star"

    max_workers = 1

    def Dispatch(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", False)
        print(HSE_STATUS_PENDING, HSE_IO_ASYNC, SF_NOTIFY_ORDER_MASK, HTTP_VARIANT_ALSO_VARIES, file=ecb)
        print(ISAPI_REQUEST, ISAPI_SHUTDOWN, WorkerThread.__name__, ExtensionError.__name__, isapicon.HSE_STATUS_ERROR, file=ecb)
        print(threading.current_thread().__class__ is WorkerThread, os.sep, sys.argv, file=ecb)
        print(ISAPIParameters().VirtualDirs, VirtualDirParameters.Headers, str(ScriptMapParams(Extension="*", Module="m", Flags=0)), file=ecb)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()


if __name__ == '__main__':
    HandleCommandLine(ISAPIParameters())
