/* EXEC_URL: parents that have another URL answer, and children that show what they got. The query string of either
   chooses the behaviour. What the parent asks for is in its headers: X-Url, X-Method, X-Headers (`|` for the end of a
   line), X-Entity and X-Flags; absent ones are NULL. */
#include "behaviours.h"

enum { ROOM = 8192 };

/* All that one EXEC_URL points to, spoilt after the call. */
struct order {
    char url[ROOM], method[128], headers[ROOM], entity[ROOM];
    WCHAR wide[ROOM];
    HSE_EXEC_URL_ENTITY_INFO body;
    HSE_EXEC_URL_INFO info;
};

static char *text(ECB *ecb, const char *name, char *room, DWORD size)
{
    char variable[64];
    snprintf(variable, sizeof variable, "HTTP_X_%s", name);
    return ecb->GetServerVariable(ecb->ConnID, variable, room, &size) ? room : 0;
}

static void fill(ECB *ecb, struct order *order)
{
    memset(order, 0, sizeof *order);
    order->info.pszUrl = text(ecb, "URL", order->url, ROOM);
    order->info.pszMethod = text(ecb, "METHOD", order->method, sizeof order->method);
    order->info.pszChildHeaders = text(ecb, "HEADERS", order->headers, ROOM);
    for (char *c = order->headers; *c; c++)
        if (*c == '|')
            *c = '\n';
    if (text(ecb, "ENTITY", order->entity, ROOM)) {
        order->body.cbAvailable = (DWORD)strlen(order->entity);
        order->body.lpbData = order->entity;
        order->info.pEntity = &order->body;
    }
    order->info.dwExecUrlFlags = (DWORD)number(ecb, "FLAGS");
    for (int i = 0; order->url[i]; i++)
        order->wide[i] = (unsigned char)order->url[i];
}

static int ask(ECB *ecb)
{
    struct order order;
    fill(ecb, &order);
    DWORD request = HSE_REQ_EXEC_URL;
    if (number(ecb, "WIDE")) {
        request = HSE_REQ_EXEC_UNICODE_URL;
        order.info.pszUrl = (char *)order.wide;
    }
    int error = asked(ecb, request, &order.info, 0, 0);
    memset(&order, 'X', sizeof order);
    return error;
}

static void note_end(ECB *ecb, DWORD bytes, DWORD error)
{
    HSE_EXEC_URL_STATUS status = {9, 9, 9};
    int failed = asked(ecb, HSE_REQ_GET_EXEC_URL_STATUS, &status, 0, 0);
    note("%u %u%s: %d %u.%u %u", (unsigned)bytes, (unsigned)error, starting ? " on the starter's stack" : "", failed,
         status.uHttpStatusCode, status.uHttpSubStatus, (unsigned)status.dwWin32Error);
}

/* ---- Parents ---- */

static void WINAPI ran(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    /* There is room for a few hundred notes only. */
    if (!number(ecb, "QUIET"))
        note_end(ecb, bytes, error);
    if (context)
        put(ecb, context);
    done(ecb);
}

static DWORD start(ECB *ecb, PFN_HSE_IO_COMPLETION completed, void *context)
{
    on_completion(ecb, completed, context);
    int error = ask(ecb);
    return error ? answer(ecb, "error %d", error) : HSE_STATUS_PENDING;
}

static DWORD run(ECB *ecb)
{
    return start(ecb, ran, 0);
}

static DWORD in_the_middle(ECB *ecb)
{
    text_head(ecb);
    put(ecb, "before,");
    return start(ecb, ran, ",behind");
}

static DWORD behind(ECB *ecb)
{
    return start(ecb, ran, ",behind");
}

static DWORD behind_a_head(ECB *ecb)
{
    text_head(ecb);
    on_completion(ecb, ran, 0);
    int error = ask(ecb);
    return put(ecb, error == 87 ? "refused" : "accepted") ? HSE_STATUS_ERROR : HSE_STATUS_SUCCESS;
}

static DWORD read_first(ECB *ecb)
{
    char room[ROOM];
    DWORD size = (DWORD)number(ecb, "READ");
    ecb->ReadClient(ecb->ConnID, room, &size);
    note("read %u behind %u", (unsigned)size, (unsigned)ecb->cbAvailable);
    return start(ecb, ran, 0);
}

/* The same again, from the completion. */
static void WINAPI ran_first(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)context;
    note_end(ecb, bytes, error);
    on_completion(ecb, ran, 0);
    if (ask(ecb))
        done(ecb);
}

static DWORD twice(ECB *ecb)
{
    text_head(ecb);
    return start(ecb, ran_first, 0);
}

/* ---- Misuse ---- */

static void WINAPI unexpected(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)ecb, (void)context;
    note("unexpected: %u %u", (unsigned)bytes, (unsigned)error);
}

static DWORD misuse(ECB *ecb)
{
    HSE_EXEC_URL_STATUS status;
    HSE_EXEC_URL_INFO info = {0};
    int unregistered = asked(ecb, HSE_REQ_EXEC_URL, &info, 0, 0);
    on_completion(ecb, unexpected, 0);
    int no_struct = asked(ecb, HSE_REQ_EXEC_URL, 0, 0, 0);
    int no_wide_struct = asked(ecb, HSE_REQ_EXEC_UNICODE_URL, 0, 0, 0);
    int no_status = asked(ecb, HSE_REQ_GET_EXEC_URL_STATUS, 0, 0, 0);
    int too_early = asked(ecb, HSE_REQ_GET_EXEC_URL_STATUS, &status, 0, 0);
    HSE_EXEC_URL_ENTITY_INFO entity = {5, 0};
    info.pEntity = &entity;
    int no_bytes = asked(ecb, HSE_REQ_EXEC_URL, &info, 0, 0);
    WCHAR lone_surrogate[] = {'/', 0xD800, 0};
    HSE_EXEC_UNICODE_URL_INFO wide = {0};
    wide.pszUrl = lone_surrogate;
    int no_text = asked(ecb, HSE_REQ_EXEC_UNICODE_URL, &wide, 0, 0);
    return answer(ecb, "%d %d %d %d %d %d %d", unregistered, no_struct, no_wide_struct, no_status, too_early, no_bytes,
                  no_text);
}

/* The user that X-User and X-Type name, and a token if X-Token says so. */
static DWORD as_user(ECB *ecb)
{
    char name[128], type[128];
    struct order order;
    fill(ecb, &order);
    HSE_EXEC_URL_USER_INFO user = {number(ecb, "TOKEN") ? &order : 0, text(ecb, "USER", name, sizeof name),
                                   text(ecb, "TYPE", type, sizeof type)};
    order.info.pUserInfo = &user;
    on_completion(ecb, ran, 0);
    int error = asked(ecb, HSE_REQ_EXEC_URL, &order.info, 0, 0);
    return error ? answer(ecb, "error %d", error) : HSE_STATUS_PENDING;
}

/* ---- A child that waits, and what its parent does meanwhile. ---- */

static void *write_until_told(void *argument)
{
    ECB *ecb = argument;
    BOOL connected = TRUE;
    wait_for(&gates_open, 1);
    asked(ecb, HSE_REQ_IS_CONNECTED, &connected, 0, 0);
    int error = put(ecb, "late");
    if (number(ecb, "CLOSE")) {
        asked(ecb, HSE_REQ_ABORTIVE_CLOSE, 0, 0, 0);
        asked(ecb, HSE_REQ_CLOSE_CONNECTION, 0, 0, 0);
    }
    note("child: %d %d", connected, error);
    done(ecb);
    return 0;
}

/* Writes a first part if X-First says so, and the rest when the gate is open. */
static DWORD wait_at_gate(ECB *ecb)
{
    if (number(ecb, "FIRST")) {
        head(ecb, "200 OK", "Content-Length: 9\r\n\r\n");
        put(ecb, "first");
    }
    note("waits");
    on_thread(write_until_told, ecb);
    return HSE_STATUS_PENDING;
}

static DWORD others_meanwhile(ECB *ecb)
{
    char room[16];
    DWORD size = sizeof room, type = HSE_IO_ASYNC;
    HSE_EXEC_URL_STATUS status;
    HSE_EXEC_URL_INFO info = {0};
    HSE_VECTOR_ELEMENT element = {HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER, "x", 0, 1};
    HSE_RESPONSE_VECTOR vector = {HSE_IO_SYNC, 0, 0, 1, &element};
    on_completion(ecb, ran, 0);
    int first = ask(ecb);
    wait_for(&notes_left, 1);
    int results[8] = {
        asked(ecb, HSE_REQ_EXEC_URL, &info, 0, 0),
        put(ecb, "x") & put_bytes(ecb, "x", 1, HSE_IO_DO_NOT_WAIT),
        put_bytes(ecb, "x", 1, HSE_IO_ASYNC),
        text_head(ecb),
        asked(ecb, HSE_REQ_VECTOR_SEND, &vector, 0, 0),
        asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, room, &size, &type),
        asked(ecb, HSE_REQ_SEND_URL_REDIRECT_RESP, "/", 0, 0),
        asked(ecb, HSE_REQ_GET_EXEC_URL_STATUS, &status, 0, 0),
    };
    note("%d %d %d %d %d %d %d %d %d", first, results[0], results[1], results[2], results[3], results[4], results[5],
         results[6], results[7]);
    return HSE_STATUS_PENDING;
}

static void WINAPI told(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)context;
    note_end(ecb, bytes, error);
}

static DWORD start_and_wait(ECB *ecb, PFN_HSE_IO_COMPLETION completed)
{
    on_completion(ecb, completed, 0);
    int error = ask(ecb);
    if (error)
        note("not started: %d", error);
    wait_for(&notes_left, 1);
    return HSE_STATUS_PENDING;
}

static DWORD done_meanwhile(ECB *ecb)
{
    start_and_wait(ecb, told);
    done(ecb);
    return HSE_STATUS_PENDING;
}

static DWORD returns_meanwhile(ECB *ecb)
{
    start_and_wait(ecb, told);
    return HSE_STATUS_SUCCESS;
}

static void WINAPI answer_after_cancel(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)context;
    note_end(ecb, bytes, error);
    answer(ecb, "cancelled");
    done(ecb);
}

static DWORD cancels(ECB *ecb)
{
    start_and_wait(ecb, answer_after_cancel);
    asked(ecb, HSE_REQ_CANCEL_IO, 0, 0, 0);
    return HSE_STATUS_PENDING;
}

static DWORD closes(ECB *ecb)
{
    start_and_wait(ecb, ran);
    asked(ecb, HSE_REQ_CLOSE_CONNECTION, 0, 0, 0);
    return HSE_STATUS_PENDING;
}

static DWORD stays(ECB *ecb)
{
    return start_and_wait(ecb, ran);
}

/* ---- Children ---- */

/* Method, URL, path, a header, length and body. */
static DWORD echo(ECB *ecb)
{
    char url[ROOM] = "", length[64] = "", header_value[256], encoding[64] = "", *body = calloc(1, 1 << 20);
    DWORD size = ROOM;
    ecb->GetServerVariable(ecb->ConnID, "HTTP_URL", url, &size);
    size = sizeof length;
    ecb->GetServerVariable(ecb->ConnID, "CONTENT_LENGTH", length, &size);
    size = sizeof encoding;
    if (!ecb->GetServerVariable(ecb->ConnID, "HTTP_TRANSFER_ENCODING", encoding, &size))
        encoding[0] = 0;
    if (ecb->cbAvailable)
        memcpy(body, ecb->lpbData, ecb->cbAvailable);
    DWORD count = ecb->cbAvailable;
    for (size = (1 << 20) - count; ecb->ReadClient(ecb->ConnID, body + count, &size) && size; size = (1 << 20) - count)
        count += size;
    unsigned long sum = 0;
    for (DWORD i = 0; i < count; i++)
        sum += (unsigned char)body[i];
    char shown[64] = "";
    snprintf(shown, sizeof shown, "%s", body);
    answer(ecb, "%s %s %s [%s] length %s%s total %d body %u %lu %s", ecb->lpszMethod, url, ecb->lpszPathInfo,
           header(ecb, "MARK", header_value, sizeof header_value), length, encoding, (int)ecb->cbTotalBytes,
           (unsigned)count, sum, shown);
    free(body);
    return HSE_STATUS_SUCCESS;
}

static DWORD all_raw(ECB *ecb)
{
    char raw[ROOM] = "";
    DWORD size = sizeof raw;
    ecb->GetServerVariable(ecb->ConnID, "ALL_RAW", raw, &size);
    return answer(ecb, "%s", raw);
}

static DWORD fails(ECB *ecb)
{
    (void)ecb;
    return HSE_STATUS_ERROR;
}

static DWORD breaks(ECB *ecb)
{
    head(ecb, "200 OK", "Content-Length: 12\r\n\r\n");
    put(ecb, "hello");
    return HSE_STATUS_ERROR;
}

static DWORD hangs_up(ECB *ecb)
{
    if (number(ecb, "FIRST"))
        answer(ecb, "first");
    asked(ecb, HSE_REQ_CLOSE_CONNECTION, 0, 0, 0);
    return HSE_STATUS_SUCCESS;
}

static DWORD closing(ECB *ecb)
{
    head(ecb, "203 Odd", "X-Child: yes\r\nConnection: close\r\nContent-Length: 5\r\n\r\n");
    put(ecb, "hello");
    return HSE_STATUS_SUCCESS;
}

static DWORD looks_like_headers(ECB *ecb)
{
    text_head(ecb);
    put(ecb, "HTTP/1.1 500 Fake\r\n\r\nbody");
    return HSE_STATUS_SUCCESS;
}

static DWORD framed(ECB *ecb)
{
    head(ecb, "200 OK", "Transfer-Encoding: chunked\r\n\r\n");
    put(ecb, "5\r\nhello\r\n");
    put(ecb, "7\r\n, world\r\n0\r\n\r\n");
    return HSE_STATUS_SUCCESS;
}

static DWORD logged(ECB *ecb)
{
    asked(ecb, HSE_APPEND_LOG_PARAMETER, "|of the child", 0, 0);
    return answer(ecb, "logged");
}

/* Twenty megabytes, in pieces, blocking; notes the first error. */
static DWORD large(ECB *ecb)
{
    static char piece[100000];
    memset(piece, 'l', sizeof piece);
    text_head(ecb);
    for (int i = 0; i < 200; i++) {
        int error = put_bytes(ecb, piece, sizeof piece, HSE_IO_SYNC);
        if (error) {
            note("child: %d", error);
            return HSE_STATUS_ERROR;
        }
    }
    note("all");
    return HSE_STATUS_SUCCESS;
}

/* Runs its own URL inside of itself until somebody says no. */
static DWORD deeper(ECB *ecb)
{
    static __thread char url[64];
    snprintf(url, sizeof url, "/%d?deeper", ecb->lpszPathInfo[0] ? atoi(ecb->lpszPathInfo + 1) + 1 : 1);
    HSE_EXEC_URL_INFO info = {0};
    info.pszUrl = url;
    on_completion(ecb, ran, 0);
    return asked(ecb, HSE_REQ_EXEC_URL, &info, 0, 0) ? HSE_STATUS_ERROR : HSE_STATUS_PENDING;
}

static DWORD itself(ECB *ecb)
{
    HSE_EXEC_URL_INFO info = {0};
    on_completion(ecb, ran, 0);
    return asked(ecb, HSE_REQ_EXEC_URL, &info, 0, 0) ? HSE_STATUS_ERROR : HSE_STATUS_PENDING;
}

static const struct behaviour behaviours[] = {
    {"run", run}, {"in_the_middle", in_the_middle}, {"behind", behind}, {"behind_a_head", behind_a_head},
    {"read_first", read_first}, {"twice", twice}, {"misuse", misuse}, {"as_user", as_user},
    {"wait_at_gate", wait_at_gate}, {"others_meanwhile", others_meanwhile}, {"done_meanwhile", done_meanwhile},
    {"returns_meanwhile", returns_meanwhile}, {"cancels", cancels}, {"closes", closes}, {"stays", stays},
    {"echo", echo}, {"all_raw", all_raw}, {"fails", fails}, {"breaks", breaks}, {"hangs_up", hangs_up},
    {"closing", closing}, {"looks_like_headers", looks_like_headers}, {"framed", framed}, {"logged", logged},
    {"large", large}, {"deeper", deeper}, {"itself", itself}, {"notes", notes}, {"gate", gate},
};

PROBE(behaviours)
