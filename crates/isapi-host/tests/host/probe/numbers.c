/* Every number of ServerSupportFunction with nothing but nulls. The answer has "<number>:<error>" for each that is not
   refused with 87, and 0 for one that succeeds. */
#include "behaviours.h"

enum { LAST = 1100 };

/* These end something, or say it with nulls; they come alone. */
static int is_final(DWORD request)
{
    return request == HSE_REQ_SEND_RESPONSE_HEADER || request == HSE_REQ_DONE_WITH_SESSION ||
           request == HSE_REQ_ABORTIVE_CLOSE || request == HSE_REQ_CLOSE_CONNECTION;
}

static void ask_all(ECB *ecb, char *text)
{
    for (DWORD request = 0; request <= LAST; request++) {
        if (is_final(request))
            continue;
        int error = asked(ecb, request, 0, 0, 0);
        if (error != 87)
            text += sprintf(text, "%u:%d ", (unsigned)request, error);
    }
}

static DWORD all(ECB *ecb)
{
    static __thread char text[32768];
    text[0] = 0;
    ask_all(ecb, text);
    return answer(ecb, "%s", text);
}

static void *ask_on_thread(void *ecb)
{
    all(ecb);
    done(ecb);
    return 0;
}

static DWORD all_on_a_thread(ECB *ecb)
{
    on_thread(ask_on_thread, ecb);
    return HSE_STATUS_PENDING;
}

/* The number X-Number alone. */
static DWORD one(ECB *ecb)
{
    int error = asked(ecb, (DWORD)number(ecb, "NUMBER"), 0, 0, 0);
    note("%d", error);
    return HSE_STATUS_SUCCESS;
}

/* All of them for a request that is over: the handle is stale, so none may succeed. */
static DWORD stale(ECB *ecb)
{
    static HCONN over;
    if (!over) {
        over = ecb->ConnID;
        return answer(ecb, "remembered");
    }
    int others = 0;
    for (DWORD request = 0; request <= LAST; request++) {
        errno = 0;
        BOOL ok = ecb->ServerSupportFunction(over, request, 0, 0, 0);
        others += ok || errno != 87;
    }
    return answer(ecb, "%d", others);
}

static const struct behaviour behaviours[] = {
    {"all", all}, {"all_on_a_thread", all_on_a_thread}, {"one", one}, {"stale", stale}, {"notes", notes},
};

PROBE(behaviours)
