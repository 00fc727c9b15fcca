/*
 * Look at each request's address and let it pass: what the server costs when its filter costs nothing.
 *
 *     cc -O2 -shared -fPIC -I crates/isapi-abi/include bench/filter.c -o filter.so
 *     pyisapi serve --filter filter.so bench/simple.py
 */
#include <string.h>

#include "isapi.h"

static char name[] = "url";

BOOL WINAPI GetFilterVersion(HTTP_FILTER_VERSION *version)
{
    version->dwFilterVersion = HTTP_FILTER_REVISION;
    version->dwFlags = SF_NOTIFY_PREPROC_HEADERS | SF_NOTIFY_ORDER_DEFAULT;
    strcpy(version->lpszFilterDesc, "Look at the address in C");
    return TRUE;
}

DWORD WINAPI HttpFilterProc(HTTP_FILTER_CONTEXT *context, DWORD notification, void *data)
{
    HTTP_FILTER_PREPROC_HEADERS *headers = data;
    char url[1024];
    DWORD size = sizeof url;
    (void)notification;
    if (!headers->GetHeader(context, name, url, &size))
        return SF_STATUS_REQ_ERROR;
    return SF_STATUS_REQ_NEXT_NOTIFICATION;
}
