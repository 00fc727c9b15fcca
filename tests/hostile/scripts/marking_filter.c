/* A filter that marks every response, by memory that the server gives it: some for each request, and some that it keeps
 * for the connection. */

#include <stdio.h>
#include <string.h>

#include "isapi.h"

enum { ROOM = 2000 };

BOOL WINAPI GetFilterVersion(HTTP_FILTER_VERSION *version) {
    version->dwFilterVersion = HTTP_FILTER_REVISION;
    version->dwFlags = SF_NOTIFY_PREPROC_HEADERS | SF_NOTIFY_SEND_RESPONSE | SF_NOTIFY_ORDER_HIGH;
    strcpy(version->lpszFilterDesc, "Marks responses");
    return TRUE;
}

static BOOL count(HTTP_FILTER_CONTEXT *context) {
    int *served = context->pFilterContext;
    if (!served)
        served = context->pFilterContext = context->AllocMem(context, ROOM, 0);
    if (served)
        ++*served;
    return served != NULL;
}

static BOOL mark(HTTP_FILTER_CONTEXT *context, HTTP_FILTER_SEND_RESPONSE *headers) {
    const int *served = context->pFilterContext;
    char *text = context->AllocMem(context, ROOM, 0), name[] = "X-Served:";
    if (!served || !text)
        return FALSE;
    snprintf(text, ROOM, "%d", *served);
    return headers->SetHeader(context, name, text);
}

DWORD WINAPI HttpFilterProc(HTTP_FILTER_CONTEXT *context, DWORD notification, void *data) {
    BOOL good = notification == SF_NOTIFY_PREPROC_HEADERS ? count(context) : mark(context, data);
    return good ? SF_STATUS_REQ_NEXT_NOTIFICATION : SF_STATUS_REQ_ERROR;
}
