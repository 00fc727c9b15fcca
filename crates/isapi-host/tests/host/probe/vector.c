/* VECTOR_SEND, well and badly. What is sent comes from the request's headers: X-Flags; X-Head, "b"oth, "s"tatus, or
   headers only with "h"; and X-Elements, each "<kind>,<offset>,<size>,<text>" with blanks between: memory "m", the file
   of that name "f", memory at null "n", a handle that is none "c", an element of unknown type "x". */
#include "behaviours.h"

enum { MOST = 16, LARGE = 30000000 };

/* One vector and all it points to; what is in memory is spoilt when the server gives it back. */
struct vector {
    HSE_RESPONSE_VECTOR send;
    HSE_VECTOR_ELEMENT elements[MOST];
    int files[MOST], file_count;
    char text[4096], status[64], headers[256];
    void *large;
};

static void add(struct vector *vector, char *item)
{
    HSE_VECTOR_ELEMENT *element = &vector->elements[vector->send.nElementCount++];
    char *text = item;
    for (int commas = 0; commas < 3; text++)
        commas += *text == ',';
    unsigned long long offset, size;
    sscanf(item + 2, "%lli,%lli", (long long *)&offset, (long long *)&size);
    element->cbOffset = offset;
    element->cbSize = size;
    element->ElementType = *item == 'x' ? 7 : *item == 'f' || *item == 'c';
    element->pvContext = *item == 'n' ? 0 : text;
    if (*item == 'c')
        element->pvContext = (HANDLE)(size_t)strtol(text, 0, 0);
    if (*item == 'f') {
        int file = open(text, O_RDONLY);
        vector->files[vector->file_count++] = file;
        element->pvContext = (HANDLE)(size_t)file;
    }
}

static struct vector *prepare(ECB *ecb)
{
    struct vector *vector = calloc(1, sizeof *vector);
    char which[8], *rest;
    vector->send.dwFlags = (DWORD)number(ecb, "FLAGS");
    vector->send.lpElementArray = vector->elements;
    header(ecb, "ELEMENTS", vector->text, sizeof vector->text);
    for (char *item = strtok_r(vector->text, " ", &rest); item; item = strtok_r(0, " ", &rest))
        add(vector, item);
    header(ecb, "HEAD", which, sizeof which);
    strcpy(vector->status, "206 Partial Content");
    strcpy(vector->headers, "X-Sent: yes\r\n\r\n");
    if (*which == 'b' || *which == 's')
        vector->send.pszStatus = vector->status;
    if (*which == 'b' || *which == 'h')
        vector->send.pszHeaders = vector->headers;
    return vector;
}

static void close_files(struct vector *vector)
{
    while (vector->file_count > 0)
        close(vector->files[--vector->file_count]);
}

static void release(struct vector *vector)
{
    close_files(vector);
    if (vector->large)
        memset(vector->large, 'X', LARGE);
    free(vector->large);
    memset(vector, 'X', sizeof *vector);
    free(vector);
}

static int send_vector(ECB *ecb, struct vector *vector)
{
    return asked(ecb, HSE_REQ_VECTOR_SEND, &vector->send, 0, 0);
}

static void WINAPI sent(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    release(context);
    note("%u %u%s", (unsigned)bytes, (unsigned)error, starting ? " on the starter's stack" : "");
    done(ecb);
}

/* Sends what the headers say. The error is the answer if there is one. */
static DWORD vector(ECB *ecb)
{
    struct vector *vector = prepare(ecb);
    on_completion(ecb, sent, vector);
    if (!(vector->send.dwFlags & HSE_IO_SEND_HEADERS))
        text_head(ecb);
    DWORD flags = vector->send.dwFlags;
    int error = send_vector(ecb, vector);
    if (error) {
        char text[32];
        release(vector);
        snprintf(text, sizeof text, "error %d", error);
        if (flags & HSE_IO_SEND_HEADERS)
            text_head(ecb);
        put(ecb, text);
        return HSE_STATUS_SUCCESS;
    }
    if (flags & HSE_IO_ASYNC) {
        /* From now on the vector is the completion's. */
        return HSE_STATUS_PENDING;
    }
    release(vector);
    return HSE_STATUS_SUCCESS;
}

/* An array that is not there, or longer than any. */
static DWORD odd_arrays(ECB *ecb)
{
    HSE_RESPONSE_VECTOR send = {HSE_IO_SYNC, 0, 0, 1, 0};
    HSE_VECTOR_ELEMENT element = {HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER, "x", 0, 1};
    int null = asked(ecb, HSE_REQ_VECTOR_SEND, &send, 0, 0);
    send.lpElementArray = &element;
    send.nElementCount = 0xFFFFFFFF;
    int long_ = asked(ecb, HSE_REQ_VECTOR_SEND, &send, 0, 0);
    int no_vector = asked(ecb, HSE_REQ_VECTOR_SEND, 0, 0, 0);
    return answer(ecb, "%d %d %d", null, long_, no_vector);
}

/* FINAL_SEND (or what X-Flags say), then everything that must be refused; returns X-Status when the gate is open. */
static DWORD last(ECB *ecb)
{
    struct vector *vector = prepare(ecb);
    int first = send_vector(ecb, vector);
    int write = put(ecb, "more");
    int async = put_bytes(ecb, "more", 4, HSE_IO_ASYNC);
    int second = head(ecb, "200 OK", "\r\n");
    int again = send_vector(ecb, vector);
    note("%d %d %d %d %d", first, write, async, second, again);
    release(vector);
    wait_for(&gates_open, 1);
    return (DWORD)number(ecb, "STATUS");
}

/* ---- A large vector that a client is slow to take. ---- */

static struct vector *large_vector(DWORD flags)
{
    struct vector *vector = calloc(1, sizeof *vector);
    vector->large = malloc(LARGE);
    memset(vector->large, 'm', LARGE);
    vector->elements[0] = (HSE_VECTOR_ELEMENT){HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER, vector->large, 0, LARGE};
    vector->send = (HSE_RESPONSE_VECTOR){flags, 0, 0, 1, vector->elements};
    return vector;
}

static DWORD large(ECB *ecb)
{
    struct vector *vector = large_vector(HSE_IO_ASYNC);
    text_head(ecb);
    on_completion(ecb, sent, vector);
    send_vector(ecb, vector);
    return HSE_STATUS_PENDING;
}

static void WINAPI aborted(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)ecb;
    release(context);
    note("%u %u", (unsigned)bytes, (unsigned)error);
}

static void *end_session(void *ecb)
{
    note("done %d", done(ecb));
    return 0;
}

static DWORD done_while_sending(ECB *ecb)
{
    struct vector *vector = large_vector(HSE_IO_ASYNC);
    text_head(ecb);
    on_completion(ecb, aborted, vector);
    send_vector(ecb, vector);
    on_thread(end_session, ecb);
    return HSE_STATUS_PENDING;
}

/* Completions are counted, and the session is ended by the third party that cancelled. */
static void *cancel(void *argument)
{
    ECB *ecb = argument;
    int first = asked(ecb, HSE_REQ_CANCEL_IO, 0, 0, 0);
    wait_for(&notes_left, 1);
    int second = asked(ecb, HSE_REQ_CANCEL_IO, 0, 0, 0);
    note("cancel %d %d done %d", first, second, done(ecb));
    return 0;
}

static DWORD cancelled(ECB *ecb)
{
    struct vector *vector = large_vector(HSE_IO_ASYNC);
    text_head(ecb);
    on_completion(ecb, aborted, vector);
    send_vector(ecb, vector);
    on_thread(cancel, ecb);
    return HSE_STATUS_PENDING;
}

/* What a write has queued is on its way already; cancelling it tells the module earlier and loses nothing. */
static DWORD cancelled_write(ECB *ecb)
{
    struct vector *vector = large_vector(0);
    text_head(ecb);
    on_completion(ecb, aborted, vector);
    put_bytes(ecb, vector->large, LARGE, HSE_IO_ASYNC);
    on_thread(cancel, ecb);
    return HSE_STATUS_PENDING;
}

static void *close_it(void *argument)
{
    ECB *ecb = argument;
    int first = asked(ecb, HSE_REQ_CLOSE_CONNECTION, 0, 0, 0);
    wait_for(&notes_left, 1);
    note("close %d done %d", first, done(ecb));
    return 0;
}

static DWORD closed(ECB *ecb)
{
    struct vector *vector = large_vector(HSE_IO_ASYNC);
    text_head(ecb);
    on_completion(ecb, aborted, vector);
    send_vector(ecb, vector);
    on_thread(close_it, ecb);
    return HSE_STATUS_PENDING;
}

/* Of all kinds of operations none starts while one is outstanding. */
static DWORD second_operation(ECB *ecb)
{
    char room[16];
    DWORD size = sizeof room, type = HSE_IO_ASYNC;
    struct vector *first = large_vector(HSE_IO_ASYNC), *second = large_vector(HSE_IO_ASYNC);
    HSE_TF_INFO file = {0};
    HSE_CUSTOM_ERROR_INFO error = {"404 Not Found", 0, TRUE};
    int self = open("/proc/self/exe", O_RDONLY);
    file.hFile = (HANDLE)(size_t)self;
    file.dwFlags = HSE_IO_ASYNC;
    text_head(ecb);
    on_completion(ecb, sent, first);
    int results[6] = {
        send_vector(ecb, first),
        send_vector(ecb, second),
        put_bytes(ecb, "x", 1, HSE_IO_ASYNC),
        asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, room, &size, &type),
        asked(ecb, HSE_REQ_TRANSMIT_FILE, &file, 0, 0),
        asked(ecb, HSE_REQ_SEND_CUSTOM_ERROR, &error, 0, 0),
    };
    close(self);
    release(second);
    note("%d %d %d %d %d %d", results[0], results[1], results[2], results[3], results[4], results[5]);
    return HSE_STATUS_PENDING;
}

static DWORD without_callback(ECB *ecb)
{
    struct vector *vector = prepare(ecb);
    int error = send_vector(ecb, vector);
    release(vector);
    return answer(ecb, "%d %d", error, asked(ecb, HSE_REQ_CANCEL_IO, 0, 0, 0));
}

/* Sends on a thread of the module's own, once synchronously and once asynchronously. */
static void *foreign(void *argument)
{
    ECB *ecb = argument;
    struct vector *vector = prepare(ecb);
    vector->send.dwFlags = HSE_IO_SYNC;
    text_head(ecb);
    int sync = send_vector(ecb, vector);
    vector->send.dwFlags = HSE_IO_ASYNC;
    on_completion(ecb, sent, vector);
    note("%d", sync);
    send_vector(ecb, vector);
    return 0;
}

static DWORD from_a_thread(ECB *ecb)
{
    on_thread(foreign, ecb);
    return HSE_STATUS_PENDING;
}

/* Chunk framing of the module's own, in three elements, as gateways do it. */
static DWORD own_chunks(ECB *ecb)
{
    HSE_VECTOR_ELEMENT elements[3] = {
        {HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER, "5\r\n", 0, 3},
        {HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER, "..hello..", 2, 5},
        {HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER, "\r\n0\r\n\r\n", 0, 7},
    };
    HSE_RESPONSE_VECTOR send = {HSE_IO_SYNC | HSE_IO_SEND_HEADERS | HSE_IO_FINAL_SEND, "200 OK",
                                "Transfer-Encoding: chunked\r\n\r\n", 3, elements};
    asked(ecb, HSE_REQ_VECTOR_SEND, &send, 0, 0);
    return HSE_STATUS_SUCCESS;
}

static const struct behaviour behaviours[] = {
    {"vector", vector}, {"odd_arrays", odd_arrays}, {"last", last}, {"large", large},
    {"done_while_sending", done_while_sending}, {"cancelled", cancelled}, {"cancelled_write", cancelled_write}, {"closed", closed},
    {"second_operation", second_operation}, {"without_callback", without_callback},
    {"from_a_thread", from_a_thread}, {"own_chunks", own_chunks}, {"notes", notes}, {"gate", gate},
};

PROBE(behaviours)
