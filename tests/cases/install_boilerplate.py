"""A script that installs itself when it is run as a program, with hooks and options of its own."""
from isapi import isapicon
from isapi.simple import SimpleExtension
from isapi.install import (HandleCommandLine, ISAPIParameters, ScriptMapParams, VirtualDirParameters)


class Extension(SimpleExtension):
    "Installs itself"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
        params = parameters()
        directory = params.VirtualDirs[0]
        print(directory.Name, directory.Type, directory.is_root(), directory.split_path(), file=ecb)
        print(directory.ScriptMaps[0].Extension, directory.ScriptMaps[0].Flags, directory.ScriptMapUpdate, file=ecb)
        print(params.PreInstall.__name__, directory.PostInstall.__name__, hasattr(params, "PostRemove"), file=ecb)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()


def PreInstallDirectory(params, options):
    if options.description:
        params.Description = options.description


def PostInstall(params, options, node):
    print("Installed", params.Name)


def status(options, log, arg):
    "Query the status of something"
    print("Everything seems to be fine!")


def parameters():
    params = ISAPIParameters(PreInstall=PreInstallDirectory)
    sm = [ScriptMapParams(Extension="*", Flags=0)]
    vd = VirtualDirParameters(Name="Samples/Test", Description=Extension.__doc__, ScriptMaps=sm, ScriptMapUpdate="replace",
                              PostInstall=PostInstall)
    params.VirtualDirs = [vd]
    return params


if __name__ == '__main__':
    from optparse import OptionParser
    parser = OptionParser("")
    parser.add_option("", "--description", action="store", help="Description of the directory")
    HandleCommandLine(parameters(), opt_parser=parser, custom_arg_handlers={"status": status})
