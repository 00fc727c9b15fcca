/* An extension that does what the query string says, well or badly. Each function is one behaviour; the table at
   the end names them. Failing callbacks are reported in the body as the code that they left in errno. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isapi.h"

typedef EXTENSION_CONTROL_BLOCK ECB;

static HCONN last_connection;

static BOOL support(ECB *ecb, DWORD request, void *buffer, DWORD *size, void *type)
{
    return ecb->ServerSupportFunction(ecb->ConnID, request, buffer, size, (DWORD *)type);
}

static BOOL put_flags(ECB *ecb, const void *data, DWORD size, DWORD flags)
{
    return ecb->WriteClient(ecb->ConnID, (void *)data, &size, flags);
}

static BOOL put(ECB *ecb, const char *text)
{
    return put_flags(ecb, text, (DWORD)strlen(text), HSE_IO_SYNC);
}

static BOOL head_ex(ECB *ecb, const char *status, const char *headers, BOOL keep)
{
    HSE_SEND_HEADER_EX_INFO info = {status, headers, (DWORD)strlen(status), (DWORD)strlen(headers), keep};
    return support(ecb, HSE_REQ_SEND_RESPONSE_HEADER_EX, &info, 0, 0);
}

static BOOL text_head(ECB *ecb)
{
    return head_ex(ecb, "200 OK", "Content-Type: text/plain\r\n\r\n", TRUE);
}

static DWORD done(ECB *ecb)
{
    DWORD status = HSE_STATUS_SUCCESS;
    return support(ecb, HSE_REQ_DONE_WITH_SESSION, &status, 0, 0) ? 0 : (DWORD)errno;
}

/* ---- Responses ---- */

static DWORD hello(ECB *ecb)
{
    text_head(ecb);
    put(ecb, "hello");
    return HSE_STATUS_SUCCESS;
}

static DWORD closing(ECB *ecb)
{
    head_ex(ecb, "200 OK", "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n", FALSE);
    put(ecb, "hello");
    return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
}

static DWORD own_close(ECB *ecb)
{
    head_ex(ecb, "200 OK", "Connection: close\r\nContent-Length: 5\r\n\r\nhello", TRUE);
    return HSE_STATUS_SUCCESS;
}

static DWORD reason(ECB *ecb)
{
    head_ex(ecb, "418 Short And Stout", "X-Odd: a\r\nX-Odd: b\r\nContent-Length: 0\r\n\r\n", TRUE);
    return HSE_STATUS_SUCCESS;
}

static DWORD framed(ECB *ecb)
{
    head_ex(ecb, "200 OK", "Transfer-Encoding: chunked\r\n\r\n", TRUE);
    put(ecb, "5\r\nhel");
    put(ecb, "lo\r\n7\r\n, world\r\n");
    put(ecb, "0\r\n\r\n");
    return HSE_STATUS_SUCCESS;
}

static DWORD badly_framed(ECB *ecb)
{
    head_ex(ecb, "200 OK", "Transfer-Encoding: chunked\r\n\r\n", TRUE);
    put(ecb, "5\r\nhello\r\n");
    put(ecb, "nonsense");
    return HSE_STATUS_SUCCESS;
}

static DWORD unfinished_framing(ECB *ecb)
{
    head_ex(ecb, "200 OK", "Transfer-Encoding: chunked\r\n\r\n", TRUE);
    put(ecb, "5\r\nhello\r\n");
    return HSE_STATUS_SUCCESS;
}

static DWORD too_much(ECB *ecb)
{
    head_ex(ecb, "200 OK", "Content-Length: 5\r\n\r\n", TRUE);
    put(ecb, "hello, world");
    return HSE_STATUS_SUCCESS;
}

/* One chunk of 200000 bytes and the end, all in one write. */
static DWORD framed_large(ECB *ecb)
{
    static char all[200100];
    int start = sprintf(all, "%x\r\n", 200000);
    memset(all + start, 'c', 200000);
    int end = start + 200000 + sprintf(all + start + 200000, "\r\n0\r\n\r\n");
    head_ex(ecb, "200 OK", "Transfer-Encoding: chunked\r\n\r\n", TRUE);
    put_flags(ecb, all, (DWORD)end, HSE_IO_SYNC);
    return HSE_STATUS_SUCCESS;
}

static DWORD too_little(ECB *ecb)
{
    head_ex(ecb, "200 OK", "Content-Length: 12\r\n\r\n", TRUE);
    put(ecb, "hello");
    return HSE_STATUS_SUCCESS;
}

static DWORD raw_head(ECB *ecb)
{
    put(ecb, "HTTP/1.1 404 Not He");
    put(ecb, "re\r\nX-Raw: yes\r\n\r");
    put(ecb, "\nraw body");
    return HSE_STATUS_SUCCESS;
}

static DWORD header_lines(ECB *ecb)
{
    put(ecb, "Content-Type: text/x-probe\r\n\r\nbody");
    return HSE_STATUS_SUCCESS;
}

static DWORD implicit(ECB *ecb)
{
    put(ecb, "just text");
    return HSE_STATUS_SUCCESS;
}

static DWORD nothing(ECB *ecb)
{
    ecb->dwHttpStatusCode = 204;
    return HSE_STATUS_SUCCESS;
}

static DWORD large(ECB *ecb)
{
    char piece[10000];
    memset(piece, 'x', sizeof piece);
    text_head(ecb);
    for (int i = 0; i < 300; i++)
        put_flags(ecb, piece, sizeof piece, HSE_IO_SYNC);
    return HSE_STATUS_SUCCESS;
}

static DWORD second_head(ECB *ecb)
{
    char text[64];
    text_head(ecb);
    BOOL ok = head_ex(ecb, "500 No", "\r\n", TRUE);
    snprintf(text, sizeof text, "%d %d", ok, errno);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

static DWORD bad_head(ECB *ecb)
{
    char text[64];
    errno = 0;
    BOOL ok = head_ex(ecb, "200 OK", "Bad Name: x\r\n\r\n", TRUE);
    snprintf(text, sizeof text, "%d %d", ok, errno);
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

static DWORD redirect(ECB *ecb)
{
    char url[] = "/else?a=1&b=<2>";
    support(ecb, HSE_REQ_SEND_URL_REDIRECT_RESP, url, 0, 0);
    return HSE_STATUS_SUCCESS;
}

/* ---- What writes answer when the client has all it can get. `gone` tells: a digit for each write. ---- */

static volatile int gone_error = -1;

static DWORD write_thrice(ECB *ecb, const char *status, const char *headers)
{
    head_ex(ecb, status, headers, TRUE);
    int first = put(ecb, "hello");
    usleep(50000);
    int second = put(ecb, "again");
    gone_error = first * 100 + second * 10 + put(ecb, "");
    return HSE_STATUS_SUCCESS;
}

static DWORD thrice(ECB *ecb)
{
    return write_thrice(ecb, "200 OK", "\r\n");
}

static DWORD thrice_no_content(ECB *ecb)
{
    return write_thrice(ecb, "204 No Content", "\r\n");
}

static DWORD thrice_with_length(ECB *ecb)
{
    return write_thrice(ecb, "200 OK", "Content-Length: 5\r\n\r\n");
}

/* ---- Body ---- */

/* Answers with total, available, and a sum over all bytes read, and how many those were. */
static DWORD sum(ECB *ecb)
{
    unsigned long count = ecb->cbAvailable, sum = 0;
    char buffer[10000], text[128];
    for (DWORD i = 0; i < ecb->cbAvailable; i++)
        sum += ecb->lpbData[i];
    if (ecb->lpbData[ecb->cbAvailable] != 0)
        return HSE_STATUS_ERROR;
    for (;;) {
        DWORD size = sizeof buffer;
        if (!ecb->ReadClient(ecb->ConnID, buffer, &size)) {
            snprintf(text, sizeof text, "error %d after %lu", errno, count);
            break;
        }
        if (size == 0) {
            snprintf(text, sizeof text, "%u %u %lu %lu", (unsigned)ecb->cbTotalBytes, (unsigned)ecb->cbAvailable, count, sum);
            break;
        }
        count += size;
        for (DWORD i = 0; i < size; i++)
            sum += (unsigned char)buffer[i];
    }
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

/* Reads until it fails, then once more: "<error> <returned> <error>". */
static DWORD read_on(ECB *ecb)
{
    char buffer[1000], text[64];
    DWORD size = sizeof buffer;
    while (ecb->ReadClient(ecb->ConnID, buffer, &size) && size > 0)
        size = sizeof buffer;
    int first = size > 0 ? errno : 0;
    size = sizeof buffer;
    errno = 0;
    BOOL ok = ecb->ReadClient(ecb->ConnID, buffer, &size);
    int second = errno;
    gone_error = first == second && !ok ? first : 0;
    snprintf(text, sizeof text, "%d %d %d", first, ok, second);
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

/* ---- Lifecycle ---- */

static void *finish_later(void *argument)
{
    ECB *ecb = argument;
    text_head(ecb);
    put(ecb, "from another thread");
    done(ecb);
    return 0;
}

static DWORD pending(ECB *ecb)
{
    pthread_t thread;
    pthread_create(&thread, 0, finish_later, ecb);
    pthread_detach(thread);
    return HSE_STATUS_PENDING;
}

static DWORD done_before_return(ECB *ecb)
{
    pthread_t thread;
    pthread_create(&thread, 0, finish_later, ecb);
    pthread_join(thread, 0);
    return HSE_STATUS_PENDING;
}

static DWORD done_then_success(ECB *ecb)
{
    text_head(ecb);
    put(ecb, "done");
    done(ecb);
    return HSE_STATUS_SUCCESS;
}

static volatile DWORD second_done_result, stale_result, late_write_result;

static DWORD done_twice(ECB *ecb)
{
    text_head(ecb);
    put(ecb, "done");
    done(ecb);
    second_done_result = done(ecb);
    late_write_result = put(ecb, "late") ? 0 : (DWORD)errno;
    last_connection = ecb->ConnID;
    return HSE_STATUS_PENDING;
}

/* What the calls after the end of `done_twice` gave; its handle is stale by now. */
static DWORD results(ECB *ecb)
{
    char text[128], name[] = "URL";
    DWORD size = 1;
    BOOL ok = ecb->GetServerVariable(last_connection, name, text, &size);
    stale_result = ok ? 0 : (DWORD)errno;
    ok = ecb->GetServerVariable((HCONN)(size_t)0x1234567, name, text, &size);
    DWORD invented = ok ? 0 : (DWORD)errno;
    snprintf(text, sizeof text, "%u %u %u %u", (unsigned)second_done_result, (unsigned)late_write_result,
             (unsigned)stale_result, (unsigned)invented);
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

static DWORD garbage(ECB *ecb)
{
    (void)ecb;
    return 4711;
}

static DWORD fail(ECB *ecb)
{
    (void)ecb;
    return HSE_STATUS_ERROR;
}

static DWORD fail_late(ECB *ecb)
{
    text_head(ecb);
    put(ecb, "part");
    return HSE_STATUS_ERROR;
}

static DWORD forever(ECB *ecb)
{
    text_head(ecb);
    put(ecb, "started");
    return HSE_STATUS_PENDING;
}

static DWORD cut(ECB *ecb)
{
    support(ecb, HSE_REQ_CLOSE_CONNECTION, 0, 0, 0);
    return HSE_STATUS_SUCCESS;
}

static void *cut_later(void *argument)
{
    usleep(200000);
    support(argument, HSE_REQ_CLOSE_CONNECTION, 0, 0, 0);
    return 0;
}

/* Writes until that fails, to a client that does not read; another thread closes the connection. */
static DWORD cut_while_writing(ECB *ecb)
{
    char piece[10000] = "";
    pthread_t thread;
    text_head(ecb);
    pthread_create(&thread, 0, cut_later, ecb);
    while (put_flags(ecb, piece, sizeof piece, HSE_IO_SYNC))
        ;
    gone_error = errno;
    pthread_join(thread, 0);
    return HSE_STATUS_SUCCESS;
}

static void header(ECB *ecb, char *name, char *value, DWORD size);

/* DONE with the status in X-Status. */
static DWORD done_with(ECB *ecb)
{
    char text[32];
    header(ecb, "HTTP_X_STATUS", text, sizeof text);
    DWORD status = (DWORD)strtoul(text, 0, 0);
    support(ecb, HSE_REQ_DONE_WITH_SESSION, &status, 0, 0);
    return HSE_STATUS_PENDING;
}

static DWORD stuck(ECB *ecb)
{
    sleep(8);
    return hello(ecb);
}

static volatile int visits;

static DWORD visit(ECB *ecb)
{
    visits++;
    return hello(ecb);
}

static DWORD visited(ECB *ecb)
{
    char text[32];
    snprintf(text, sizeof text, "%d", visits);
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

static DWORD slow(ECB *ecb)
{
    usleep(300000);
    return hello(ecb);
}

/* ---- Client gone ---- */

static DWORD write_until_gone(ECB *ecb)
{
    char piece[10000];
    memset(piece, 'x', sizeof piece);
    text_head(ecb);
    while (put_flags(ecb, piece, sizeof piece, HSE_IO_SYNC))
        ;
    int error = errno;
    BOOL connected = TRUE;
    support(ecb, HSE_REQ_IS_CONNECTED, &connected, 0, 0);
    gone_error = error + (connected ? 100000 : 0);
    return HSE_STATUS_SUCCESS;
}

static DWORD read_until_gone(ECB *ecb)
{
    char buffer[1000];
    DWORD size = sizeof buffer;
    while (ecb->ReadClient(ecb->ConnID, buffer, &size) && size > 0)
        size = sizeof buffer;
    gone_error = size > 0 ? errno : 0;
    return HSE_STATUS_SUCCESS;
}

static DWORD watch_until_gone(ECB *ecb)
{
    BOOL connected = TRUE;
    text_head(ecb);
    put(ecb, "watching");
    for (int i = 0; i < 2000 && connected; i++) {
        support(ecb, HSE_REQ_IS_CONNECTED, &connected, 0, 0);
        usleep(5000);
    }
    gone_error = connected;
    return HSE_STATUS_SUCCESS;
}

/* Waits until one of those above has ended and tells the error it saw. */
static DWORD gone(ECB *ecb)
{
    char text[64];
    for (int i = 0; i < 2000 && gone_error == -1; i++)
        usleep(5000);
    snprintf(text, sizeof text, "%d", gone_error);
    gone_error = -1;
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

/* ---- Asynchronous writes ---- */

struct chain {
    int left;
    int wrong;
    char piece[5000];
};

static void WINAPI chain_next(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    struct chain *chain = context;
    if (error != 0 || bytes != sizeof chain->piece) {
        gone_error = (int)error;
        free(chain);
        done(ecb);
        return;
    }
    if (--chain->left > 0) {
        memset(chain->piece, 'a' + chain->left % 26, sizeof chain->piece);
        if (put_flags(ecb, chain->piece, sizeof chain->piece, HSE_IO_ASYNC))
            return;
        gone_error = errno;
    }
    free(chain);
    done(ecb);
}

static DWORD start_chain(ECB *ecb, int length)
{
    struct chain *chain = calloc(1, sizeof *chain);
    chain->left = length;
    memset(chain->piece, 'z', sizeof chain->piece);
    text_head(ecb);
    support(ecb, HSE_REQ_IO_COMPLETION, (void *)chain_next, 0, chain);
    if (!put_flags(ecb, chain->piece, sizeof chain->piece, HSE_IO_ASYNC)) {
        gone_error = errno;
        free(chain);
        return HSE_STATUS_ERROR;
    }
    return HSE_STATUS_PENDING;
}

static DWORD chain(ECB *ecb)
{
    return start_chain(ecb, 400);
}

static DWORD endless_chain(ECB *ecb)
{
    return start_chain(ecb, 100000000);
}

static DWORD async_without_callback(ECB *ecb)
{
    char text[64];
    BOOL ok = put_flags(ecb, "x", 1, HSE_IO_ASYNC);
    snprintf(text, sizeof text, "%d %d", ok, errno);
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

/* ---- Operations that are outstanding when the session ends. `visited` counts the completions. ---- */

static void WINAPI aborted(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    char text[512], name[] = "URL";
    DWORD size = sizeof text;
    visits++;
    BOOL alive = context == &visits && ecb->cbSize == sizeof *ecb &&
                 ecb->GetServerVariable(ecb->ConnID, name, text, &size);
    gone_error = (int)(error + bytes) + (alive ? 0 : 100000);
}

static void *done_later(void *argument)
{
    usleep(200000);
    done(argument);
    return 0;
}

static DWORD leave_to_thread(ECB *ecb)
{
    pthread_t thread;
    pthread_create(&thread, 0, done_later, ecb);
    pthread_detach(thread);
    return HSE_STATUS_PENDING;
}

/* A write that the client is not quick enough to take. */
static DWORD done_while_writing(ECB *ecb)
{
    static char much[30000000];
    text_head(ecb);
    support(ecb, HSE_REQ_IO_COMPLETION, (void *)aborted, 0, (void *)&visits);
    put_flags(ecb, much, sizeof much, HSE_IO_ASYNC);
    return leave_to_thread(ecb);
}

static DWORD done_while_unregistered(ECB *ecb)
{
    static char much[30000000];
    text_head(ecb);
    support(ecb, HSE_REQ_IO_COMPLETION, (void *)aborted, 0, (void *)&visits);
    put_flags(ecb, much, sizeof much, HSE_IO_ASYNC);
    support(ecb, HSE_REQ_IO_COMPLETION, 0, 0, 0);
    return leave_to_thread(ecb);
}

static void WINAPI count_and_finish(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)context, (void)bytes, (void)error;
    visits++;
    done(ecb);
}

static DWORD done_in_callback(ECB *ecb)
{
    text_head(ecb);
    support(ecb, HSE_REQ_IO_COMPLETION, (void *)count_and_finish, 0, 0);
    put_flags(ecb, "done", 4, HSE_IO_ASYNC);
    return HSE_STATUS_PENDING;
}

/* ---- Files. The header X-File names it, X-Range is "offset length", X-Flags is a number. ---- */

static void header(ECB *ecb, char *name, char *value, DWORD size)
{
    if (!ecb->GetServerVariable(ecb->ConnID, name, value, &size))
        value[0] = 0;
}

static void WINAPI file_sent(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    char text[64];
    (void)context;
    snprintf(text, sizeof text, "|%u %u", (unsigned)bytes, (unsigned)error);
    put(ecb, text);
    done(ecb);
}

static DWORD file(ECB *ecb)
{
    char name[512], range[64], flags[64], text[64];
    header(ecb, "HTTP_X_FILE", name, sizeof name);
    header(ecb, "HTTP_X_RANGE", range, sizeof range);
    header(ecb, "HTTP_X_FLAGS", flags, sizeof flags);
    int descriptor = open(name, O_RDONLY);
    HSE_TF_INFO info = {0};
    info.hFile = (HANDLE)(size_t)descriptor;
    sscanf(range, "%u %u", &info.Offset, &info.BytesToWrite);
    info.dwFlags = (DWORD)strtoul(flags, 0, 0);
    if (info.dwFlags & HSE_IO_SEND_HEADERS) {
        info.pszStatusCode = "206 Partial Content";
        info.pHead = "X-Sent: yes\r\n\r\n";
    } else {
        info.pHead = "[";
        info.HeadLength = 1;
    }
    info.pTail = "]";
    info.TailLength = 1;
    info.pfnHseIO = file_sent;
    BOOL ok = support(ecb, HSE_REQ_TRANSMIT_FILE, &info, 0, 0);
    int error = errno;
    close(descriptor);
    if (!ok) {
        snprintf(text, sizeof text, "error %d", error);
        text_head(ecb);
        put(ecb, text);
        return HSE_STATUS_SUCCESS;
    }
    return info.dwFlags & HSE_IO_ASYNC ? HSE_STATUS_PENDING : HSE_STATUS_SUCCESS;
}

/* The file X-File, asynchronously, with these flags and no more than that; `completed` is told of the end. */
static DWORD plain_file(ECB *ecb, DWORD flags, PFN_HSE_IO_COMPLETION completed)
{
    char name[512];
    header(ecb, "HTTP_X_FILE", name, sizeof name);
    int descriptor = open(name, O_RDONLY);
    HSE_TF_INFO info = {0};
    info.hFile = (HANDLE)(size_t)descriptor;
    info.dwFlags = flags | HSE_IO_ASYNC;
    info.pfnHseIO = completed;
    info.pContext = (void *)&visits;
    BOOL ok = support(ecb, HSE_REQ_TRANSMIT_FILE, &info, 0, 0);
    close(descriptor);
    return ok ? HSE_STATUS_PENDING : HSE_STATUS_ERROR;
}

static void WINAPI told_and_done(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)context;
    gone_error = (int)(bytes + error * 100000000);
    done(ecb);
}

static DWORD file_with_length(ECB *ecb)
{
    head_ex(ecb, "200 OK", "Content-Length: 10\r\n\r\n", TRUE);
    return plain_file(ecb, 0, told_and_done);
}

static DWORD file_alone(ECB *ecb)
{
    text_head(ecb);
    return plain_file(ecb, 0, told_and_done);
}

static DWORD file_and_close(ECB *ecb)
{
    text_head(ecb);
    put(ecb, "head:");
    usleep(50000);
    return plain_file(ecb, HSE_IO_DISCONNECT_AFTER_SEND, told_and_done);
}

static DWORD done_while_sending(ECB *ecb)
{
    text_head(ecb);
    plain_file(ecb, 0, aborted);
    return leave_to_thread(ecb);
}

/* ---- Variables. The header X-Name names one; the answer is "<ok> <error> <size>:<value>". ---- */

static DWORD variable(ECB *ecb)
{
    char name[128], value[4096], text[5000];
    header(ecb, "HTTP_X_NAME", name, sizeof name);
    DWORD size = 0;
    errno = 0;
    BOOL small = ecb->GetServerVariable(ecb->ConnID, name, 0, &size);
    int small_error = errno;
    DWORD needed = size;
    size = sizeof value;
    errno = 0;
    BOOL ok = ecb->GetServerVariable(ecb->ConnID, name, value, &size);
    int length = snprintf(text, sizeof text, "%d %d %u|%d %d %u:", small, small_error, (unsigned)needed, ok, errno,
                          ok ? (unsigned)size : 0);
    text_head(ecb);
    put_flags(ecb, text, (DWORD)length, HSE_IO_SYNC);
    if (ok)
        put_flags(ecb, value, size, HSE_IO_SYNC);
    return HSE_STATUS_SUCCESS;
}

static DWORD block(ECB *ecb)
{
    char text[4096];
    snprintf(text, sizeof text, "%u|%08x|%u|%s|%s|%s|%s|%s|%u|%u", (unsigned)ecb->cbSize, (unsigned)ecb->dwVersion,
             (unsigned)ecb->dwHttpStatusCode, ecb->lpszMethod, ecb->lpszQueryString, ecb->lpszPathInfo,
             ecb->lpszPathTranslated, ecb->lpszContentType, (unsigned)ecb->cbTotalBytes, (unsigned)ecb->cbAvailable);
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

static DWORD nulls(ECB *ecb)
{
    char text[128], buffer[8], name[] = "URL";
    DWORD size = 8, results[6];
    results[0] = ecb->GetServerVariable(ecb->ConnID, 0, buffer, &size) ? 0 : (DWORD)errno;
    results[1] = ecb->GetServerVariable(ecb->ConnID, name, buffer, 0) ? 0 : (DWORD)errno;
    results[2] = ecb->WriteClient(ecb->ConnID, 0, &size, HSE_IO_SYNC) ? 0 : (DWORD)errno;
    results[3] = ecb->ReadClient(ecb->ConnID, buffer, 0) ? 0 : (DWORD)errno;
    results[4] = support(ecb, HSE_REQ_SEND_RESPONSE_HEADER_EX, 0, 0, 0) ? 0 : (DWORD)errno;
    results[5] = ecb->WriteClient(0, buffer, &size, HSE_IO_SYNC) ? 0 : (DWORD)errno;
    snprintf(text, sizeof text, "%u %u %u %u %u %u", results[0], results[1], results[2], results[3], results[4], results[5]);
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

static DWORD requests(ECB *ecb)
{
    char text[512], path[256] = "/sub/x.txt?q", small[4] = "/s";
    DWORD size = sizeof path, small_size = sizeof small, place = 99;
    BOOL keep = 99, connected = 99;
    BOOL mapped = support(ecb, HSE_REQ_MAP_URL_TO_PATH, path, &size, 0);
    BOOL fits = support(ecb, HSE_REQ_MAP_URL_TO_PATH, small, &small_size, 0);
    int small_error = errno;
    support(ecb, HSE_REQ_IS_KEEP_CONN, &keep, 0, 0);
    support(ecb, HSE_REQ_IS_CONNECTED, &connected, 0, 0);
    support(ecb, HSE_REQ_IS_IN_PROCESS, &place, 0, 0);
    BOOL sspi = support(ecb, HSE_REQ_GET_SSPI_INFO, 0, 0, 0);
    int sspi_error = errno;
    BOOL unknown = support(ecb, 1020, 0, 0, 0);
    int unknown_error = errno;
    support(ecb, HSE_REQ_SET_FLUSH_FLAG, (void *)1, 0, 0);
    snprintf(text, sizeof text, "%d %s %u|%d %d|%d %d %u|%d %d|%d %d", mapped, path, (unsigned)size, fits, small_error,
             keep, connected, (unsigned)place, sspi, sspi_error, unknown, unknown_error);
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

static DWORD logged(ECB *ecb)
{
    strcpy(ecb->lpszLogData, "|log data");
    support(ecb, HSE_APPEND_LOG_PARAMETER, "|appended\r\n", 0, 0);
    return hello(ecb);
}

static const struct {
    const char *name;
    DWORD (*run)(ECB *);
} behaviours[] = {
    {"hello", hello}, {"closing", closing}, {"own_close", own_close}, {"reason", reason}, {"framed", framed},
    {"badly_framed", badly_framed}, {"unfinished_framing", unfinished_framing}, {"too_much", too_much},
    {"too_little", too_little}, {"raw_head", raw_head}, {"header_lines", header_lines}, {"implicit", implicit},
    {"nothing", nothing}, {"large", large}, {"second_head", second_head}, {"bad_head", bad_head},
    {"redirect", redirect}, {"sum", sum}, {"pending", pending}, {"done_before_return", done_before_return},
    {"done_then_success", done_then_success}, {"done_twice", done_twice}, {"results", results}, {"garbage", garbage},
    {"fail", fail}, {"fail_late", fail_late}, {"forever", forever}, {"cut", cut}, {"slow", slow},
    {"write_until_gone", write_until_gone}, {"read_until_gone", read_until_gone}, {"watch_until_gone", watch_until_gone}, {"gone", gone}, {"chain", chain},
    {"endless_chain", endless_chain}, {"async_without_callback", async_without_callback}, {"file", file},
    {"framed_large", framed_large}, {"thrice", thrice}, {"thrice_no_content", thrice_no_content},
    {"thrice_with_length", thrice_with_length}, {"read_on", read_on}, {"cut_while_writing", cut_while_writing},
    {"done_with", done_with}, {"stuck", stuck}, {"visit", visit}, {"visited", visited},
    {"done_while_writing", done_while_writing}, {"done_while_unregistered", done_while_unregistered},
    {"done_in_callback", done_in_callback}, {"file_with_length", file_with_length}, {"file_alone", file_alone},
    {"file_and_close", file_and_close}, {"done_while_sending", done_while_sending},
    {"variable", variable}, {"block", block}, {"nulls", nulls}, {"requests", requests}, {"logged", logged},
};

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version)
{
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "probe of the host's tests");
    return TRUE;
}

DWORD WINAPI HttpExtensionProc(ECB *ecb)
{
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++)
        if (strcmp(ecb->lpszQueryString, behaviours[i].name) == 0)
            return behaviours[i].run(ecb);
    head_ex(ecb, "404 No Such Behaviour", "Content-Length: 0\r\n\r\n", TRUE);
    return HSE_STATUS_SUCCESS;
}
