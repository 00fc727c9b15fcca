/* Operations that are given up at any moment, on memory that is gone as soon as the completion says so: whoever uses it
   later crashes. X-Kind is "send", "read" or "exec" (the child's entity is the memory), X-How "cancel", "done" or "close".
   "write" and "head" are given up while they are being started, and with "cancel" alone, which nothing is refused after. */
#include <stdatomic.h>
#include <sys/mman.h>

#include "behaviours.h"

enum { SIZE = 2 << 20, LONG = 100000 };

static atomic_ulong completions;

/* One operation, shared by its completion and the thread that gives it up; the last of them ends what is left. */
struct operation {
    ECB *ecb;
    void *memory;
    char how;
    unsigned long delay;
    atomic_int parties;
};

static void leave(struct operation *operation)
{
    if (atomic_fetch_sub(&operation->parties, 1) > 1)
        return;
    if (operation->how != 'd')
        done(operation->ecb);
    free(operation);
}

static void WINAPI completed(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)ecb, (void)bytes, (void)error;
    struct operation *operation = context;
    munmap(operation->memory, SIZE);
    atomic_fetch_add(&completions, 1);
    leave(operation);
}

static void *give_up(void *argument)
{
    struct operation *operation = argument;
    usleep((useconds_t)operation->delay);
    if (operation->how == 'd')
        done(operation->ecb);
    else
        asked(operation->ecb, operation->how == 'c' ? HSE_REQ_CANCEL_IO : HSE_REQ_CLOSE_CONNECTION, 0, 0, 0);
    leave(operation);
    return 0;
}

static int start(ECB *ecb, struct operation *operation, char kind)
{
    DWORD size = SIZE, type = HSE_IO_ASYNC;
    if (kind == 'w')
        return put_bytes(ecb, operation->memory, SIZE, HSE_IO_ASYNC);
    if (kind == 'h') {
        char *headers = operation->memory;
        memcpy(headers, "X-Long: ", 8);
        memset(headers + 8, 'x', LONG);
        memcpy(headers + 8 + LONG, "\r\n\r\n", 5);
        HSE_RESPONSE_VECTOR send = {HSE_IO_ASYNC | HSE_IO_SEND_HEADERS, headers + 8 + LONG + 5, headers, 0, 0};
        return asked(ecb, HSE_REQ_VECTOR_SEND, &send, 0, 0);
    }
    HSE_VECTOR_ELEMENT element = {HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER, operation->memory, 0, SIZE};
    HSE_RESPONSE_VECTOR send = {HSE_IO_ASYNC, 0, 0, 1, &element};
    if (kind == 's')
        return asked(ecb, HSE_REQ_VECTOR_SEND, &send, 0, 0);
    if (kind == 'e') {
        /* Every other child gets the body that the client is sending. */
        HSE_EXEC_URL_ENTITY_INFO entity = {SIZE, operation->memory};
        HSE_EXEC_URL_INFO info = {"/?child", 0, 0, 0, operation->delay & 4 ? &entity : 0, HSE_EXEC_URL_NO_HEADERS};
        return asked(ecb, HSE_REQ_EXEC_URL, &info, 0, 0);
    }
    return asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, operation->memory, &size, &type);
}

static DWORD storm(ECB *ecb)
{
    char kind[16], how[16];
    struct operation *operation = calloc(1, sizeof *operation);
    operation->ecb = ecb;
    operation->how = *header(ecb, "HOW", how, sizeof how);
    operation->delay = number(ecb, "DELAY");
    operation->parties = 2;
    operation->memory = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    header(ecb, "KIND", kind, sizeof kind);
    int early = *kind == 'w' || *kind == 'h';
    if (*kind != 'h')
        text_head(ecb);
    on_completion(ecb, completed, operation);
    if (early)
        on_thread(give_up, operation);
    if (start(ecb, operation, *kind))
        return HSE_STATUS_ERROR;
    if (!early)
        on_thread(give_up, operation);
    return HSE_STATUS_PENDING;
}

/* Reads all and writes as much; its end may come at any moment. */
static DWORD child(ECB *ecb)
{
    static char piece[65536];
    char room[65536];
    DWORD size = sizeof room;
    for (int i = 0; i < SIZE / 65536; i++, size = sizeof room)
        if (!ecb->ReadClient(ecb->ConnID, room, &size))
            return HSE_STATUS_ERROR;
    for (int i = 0; i < SIZE / 65536; i++)
        if (put_bytes(ecb, piece, sizeof piece, HSE_IO_SYNC))
            return HSE_STATUS_ERROR;
    return HSE_STATUS_SUCCESS;
}

/* How many completions there have been, once there are as many as X-Count says. */
static DWORD count(ECB *ecb)
{
    for (int i = 0; i < 10000 && atomic_load(&completions) < number(ecb, "COUNT"); i++)
        usleep(1000);
    return answer(ecb, "%lu", atomic_load(&completions));
}

static const struct behaviour behaviours[] = {{"storm", storm}, {"child", child}, {"count", count}};

PROBE(behaviours)
