"""Parameters take any keyword; hooks are functions hung on them, before or after they are made."""
from isapi import isapicon
from isapi.install import FilterParameters, ISAPIParameters, ScriptMapParams, VirtualDirParameters
from isapi.simple import SimpleExtension

called = []


def pre_install(params, options):
    called.append((type(params).__name__, options))


class Extension(SimpleExtension):
    "Hooks"

    def HttpExtensionProc(self, ecb):
        params = ISAPIParameters(ServerName="Mine", Anything="goes")
        directory = VirtualDirParameters(Name="/", ScriptMaps=[ScriptMapParams(Extension=".py", Module="x.dll", Verbs="GET,POST")])
        filter = FilterParameters(Name="A filter", Description=Extension.__doc__, PreInstall=pre_install)
        directory.PreInstall = pre_install
        params.VirtualDirs = [directory]
        params.Filters = [filter]
        directory.PreInstall(directory, "options")
        filter.PreInstall(filter, "options")
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
        print(params.ServerName, params.Anything, filter.Description, filter.Path, file=ecb)
        print(called, file=ecb)
        print(directory.is_root(), directory.split_path(), directory.ScriptMaps[0], file=ecb)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
