/* A small extension and filter: it has to compile without a warning and to export its entry points. */
#include "isapi.h"

#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(EXTENSION_CONTROL_BLOCK) == 192, "size of the control block");
_Static_assert(offsetof(EXTENSION_CONTROL_BLOCK, ConnID) == 8, "ConnID");
_Static_assert(offsetof(EXTENSION_CONTROL_BLOCK, lpszLogData) == 20, "lpszLogData");
_Static_assert(offsetof(EXTENSION_CONTROL_BLOCK, lpszMethod) == 104, "lpszMethod");
_Static_assert(offsetof(EXTENSION_CONTROL_BLOCK, cbTotalBytes) == 136, "cbTotalBytes");
_Static_assert(offsetof(EXTENSION_CONTROL_BLOCK, lpbData) == 144, "lpbData");
_Static_assert(offsetof(EXTENSION_CONTROL_BLOCK, GetServerVariable) == 160, "GetServerVariable");
_Static_assert(offsetof(EXTENSION_CONTROL_BLOCK, ServerSupportFunction) == 184, "ServerSupportFunction");
_Static_assert(sizeof(HTTP_FILTER_CONTEXT) == 72, "size of the filter context");
_Static_assert(offsetof(HTTP_FILTER_VERSION, dwFlags) == 268, "dwFlags");
_Static_assert(sizeof(WCHAR) == 2, "WCHAR");
_Static_assert(HSE_VERSION == MAKELONG(HSE_VERSION_MINOR, HSE_VERSION_MAJOR), "HSE_VERSION");
_Static_assert(SF_STATUS_REQ_ERROR == 0x8000004, "SF_STATUS_REQ_ERROR");

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *pVer)
{
    pVer->dwExtensionVersion = HSE_VERSION;
    strncpy(pVer->lpszExtensionDesc, "small", sizeof pVer->lpszExtensionDesc - 1);
    return TRUE;
}

static VOID WINAPI completed(EXTENSION_CONTROL_BLOCK *pECB, PVOID pContext, DWORD cbIO, DWORD dwError)
{
    (void)pContext, (void)cbIO, (void)dwError;
    pECB->ServerSupportFunction(pECB->ConnID, HSE_REQ_DONE_WITH_SESSION, NULL, NULL, NULL);
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *pECB)
{
    static char body[] = "hello\n", name[] = "URL";
    char url[8];
    DWORD size = sizeof url;
    PFN_HSE_IO_COMPLETION callback = completed;
    HSE_SEND_HEADER_EX_INFO head = {
        .pszStatus = "200 OK", .cchStatus = 6, .pszHeader = "\r\n", .cchHeader = 2, .fKeepConn = FALSE};

    if (!pECB->GetServerVariable(pECB->ConnID, name, url, &size) && GetLastError() != ERROR_INSUFFICIENT_BUFFER)
        return HSE_STATUS_ERROR;
    if (!pECB->ServerSupportFunction(pECB->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL))
        return HSE_STATUS_ERROR;
    if (!pECB->ServerSupportFunction(pECB->ConnID, HSE_REQ_IO_COMPLETION, (LPVOID)callback, NULL, NULL))
        return HSE_STATUS_ERROR;
    size = sizeof body - 1;
    if (!pECB->WriteClient(pECB->ConnID, body, &size, HSE_IO_ASYNC))
        return HSE_STATUS_ERROR;
    return HSE_STATUS_PENDING;
}

BOOL WINAPI TerminateExtension(DWORD dwFlags)
{
    return dwFlags == HSE_TERM_MUST_UNLOAD;
}

BOOL WINAPI GetFilterVersion(HTTP_FILTER_VERSION *pVer)
{
    pVer->dwFilterVersion = HTTP_FILTER_REVISION;
    pVer->dwFlags = SF_NOTIFY_ORDER_DEFAULT | SF_NOTIFY_PREPROC_HEADERS | SF_NOTIFY_NONSECURE_PORT;
    return TRUE;
}

DWORD WINAPI HttpFilterProc(HTTP_FILTER_CONTEXT *pfc, DWORD NotificationType, VOID *pvNotification)
{
    static char name[] = "X-Seen:", value[] = "yes";
    HTTP_FILTER_PREPROC_HEADERS *headers = pvNotification;

    if (NotificationType == SF_NOTIFY_PREPROC_HEADERS && !headers->SetHeader(pfc, name, value))
        return SF_STATUS_REQ_ERROR;
    return SF_STATUS_REQ_NEXT_NOTIFICATION;
}
