/*
 * Say hello from native code: what the server costs when the extension costs nothing.
 *
 *     cc -O2 -shared -fPIC -I crates/isapi-abi/include bench/hello.c -o hello.so
 *     pyisapi serve hello.so
 */
#include <string.h>

#include "isapi.h"

static const char status[] = "200 OK";
static const char headers[] = "Content-Type: text/plain\r\nContent-Length: 14\r\n\r\n";
static char body[] = "Hello, world!\n";

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version)
{
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "Hello from C");
    return TRUE;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb)
{
    HSE_SEND_HEADER_EX_INFO head = {
        .pszStatus = status,
        .pszHeader = headers,
        .cchStatus = sizeof status - 1,
        .cchHeader = sizeof headers - 1,
        .fKeepConn = TRUE,
    };
    DWORD length = sizeof body - 1;
    if (!ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL))
        return HSE_STATUS_ERROR;
    if (!ecb->WriteClient(ecb->ConnID, body, &length, HSE_IO_SYNC))
        return HSE_STATUS_ERROR;
    return HSE_STATUS_SUCCESS;
}

BOOL WINAPI TerminateExtension(DWORD flags)
{
    (void)flags;
    return TRUE;
}
