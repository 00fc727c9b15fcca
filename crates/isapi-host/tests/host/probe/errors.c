/* SEND_CUSTOM_ERROR: X-Status, X-Sub and X-Async say for which error the page is asked. The answer is the error of the
   call when there is no page. */
#include "behaviours.h"

static void WINAPI sent(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)context;
    note("%u %u%s", (unsigned)bytes, (unsigned)error, starting ? " on the starter's stack" : "");
    int write = put(ecb, "more");
    int async = put_bytes(ecb, "more", 4, HSE_IO_ASYNC);
    note("%d %d", write, async);
    done(ecb);
}

static DWORD ask(ECB *ecb, PFN_HSE_IO_COMPLETION completed)
{
    char status[128];
    HSE_CUSTOM_ERROR_INFO info = {(char *)header(ecb, "STATUS", status, sizeof status), 0, 0};
    info.uHttpSubError = (unsigned short)number(ecb, "SUB");
    info.fAsync = number(ecb, "ASYNC") ? TRUE : FALSE;
    on_completion(ecb, completed, 0);
    int error = asked(ecb, HSE_REQ_SEND_CUSTOM_ERROR, &info, 0, 0);
    /* The text is ours again only when the call has failed or been synchronous; the server must have copied it. */
    memset(status, 'X', sizeof status);
    if (error)
        return answer(ecb, "error %d", error);
    return info.fAsync ? HSE_STATUS_PENDING : HSE_STATUS_SUCCESS;
}

static DWORD custom(ECB *ecb)
{
    return ask(ecb, sent);
}

static DWORD without_callback(ECB *ecb)
{
    return ask(ecb, 0);
}

static DWORD behind_a_head(ECB *ecb)
{
    text_head(ecb);
    return ask(ecb, sent);
}

static DWORD nulls(ECB *ecb)
{
    HSE_CUSTOM_ERROR_INFO info = {0, 0, FALSE};
    int no_status = asked(ecb, HSE_REQ_SEND_CUSTOM_ERROR, &info, 0, 0);
    int no_struct = asked(ecb, HSE_REQ_SEND_CUSTOM_ERROR, 0, 0, 0);
    return answer(ecb, "%d %d", no_status, no_struct);
}

/* ---- Other requests about the connection and the request. ---- */

static DWORD reset(ECB *ecb)
{
    int error = asked(ecb, HSE_REQ_ABORTIVE_CLOSE, 0, 0, 0);
    if (!number(ecb, "CUT"))
        return answer(ecb, "%d", error);
    asked(ecb, HSE_REQ_CLOSE_CONNECTION, 0, 0, 0);
    return HSE_STATUS_SUCCESS;
}

/* The connection may be another request's already, so nothing may touch it. */
static DWORD after_done(ECB *ecb)
{
    char room[16];
    DWORD size = sizeof room, type = HSE_IO_ASYNC;
    HSE_RESPONSE_VECTOR vector = {HSE_IO_SYNC | HSE_IO_DISCONNECT_AFTER_SEND, 0, 0, 0, 0};
    HSE_CUSTOM_ERROR_INFO error = {"404 Not Found", 0, FALSE};
    on_completion(ecb, sent, 0);
    text_head(ecb);
    done(ecb);
    int results[6] = {
        asked(ecb, HSE_REQ_ABORTIVE_CLOSE, 0, 0, 0),
        asked(ecb, HSE_REQ_CLOSE_CONNECTION, 0, 0, 0),
        asked(ecb, HSE_REQ_VECTOR_SEND, &vector, 0, 0),
        asked(ecb, HSE_REQ_SEND_CUSTOM_ERROR, &error, 0, 0),
        asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, room, &size, &type),
        asked(ecb, HSE_REQ_CANCEL_IO, 0, 0, 0),
    };
    note("%d %d %d %d %d %d", results[0], results[1], results[2], results[3], results[4], results[5]);
    return HSE_STATUS_PENDING;
}

static DWORD trace(ECB *ecb)
{
    struct {
        HSE_TRACE_INFO info;
        unsigned char guard[8];
    } first, second;
    memset(&first, 0x5A, sizeof first);
    memset(&second, 0x5A, sizeof second);
    int error = asked(ecb, HSE_REQ_GET_TRACE_INFO, &first, 0, 0);
    asked(ecb, HSE_REQ_GET_TRACE_INFO, &second, 0, 0);
    char id[40] = "";
    for (int i = 0; i < 16; i++)
        sprintf(id + 2 * i, "%02x", ((unsigned char *)first.info.TraceContextId)[i]);
    return answer(ecb, "%d %d %d %d %s", error, first.info.fTraceRequest, memcmp(&first, &second, sizeof first),
                  first.guard[0] != 0x5A, id);
}

static const struct behaviour behaviours[] = {
    {"custom", custom}, {"without_callback", without_callback}, {"behind_a_head", behind_a_head}, {"nulls", nulls},
    {"reset", reset}, {"after_done", after_done}, {"trace", trace}, {"notes", notes},
};

PROBE(behaviours)
