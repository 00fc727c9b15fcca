/* The smallest extension: a counted GetExtensionVersion, one answer, a TerminateExtension that leaves a file.
   The environment variables are set by the tests; a library is loaded once for each file it is in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isapi.h"

#ifndef ACCEPT
#define ACCEPT TRUE
#endif

#ifndef NO_VERSION
BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version)
{
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "the smallest extension");
    return ACCEPT;
}
#endif

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb)
{
    char body[] = "hello";
    DWORD size = sizeof body - 1;
    ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER, "200 OK", 0,
                               (DWORD *)"Content-Type: text/plain\r\n\r\n");
    ecb->WriteClient(ecb->ConnID, body, &size, HSE_IO_SYNC);
    return HSE_STATUS_SUCCESS;
}

#ifdef TERMINATED_FILE
BOOL WINAPI TerminateExtension(DWORD flags)
{
    FILE *file = fopen(TERMINATED_FILE, "w");
    if (file) {
        fprintf(file, "%u", (unsigned)flags);
        fclose(file);
    }
#ifdef OTHER_FILE
    /* Returns only if another library is terminated at the same time. */
    while (access(OTHER_FILE, F_OK) != 0)
        usleep(1000);
#endif
    return TRUE;
}
#endif
