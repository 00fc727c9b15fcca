/* ASYNC_READ_CLIENT, well and badly. */
#include "behaviours.h"

enum { PIECE = 7000 };

/* One read and what has come so far; the room is spoilt when the server gives it back. */
struct reading {
    unsigned char room[PIECE];
    unsigned long count, sum;
};

static int start(ECB *ecb, struct reading *reading, DWORD size)
{
    DWORD type = HSE_IO_ASYNC;
    return asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, reading->room, &size, &type);
}

static void add(struct reading *reading, const unsigned char *data, DWORD size)
{
    for (DWORD i = 0; i < size; i++)
        reading->sum += data[i];
    reading->count += size;
}

/* ---- The whole body, piece by piece; the answer is "<count> <sum>", or the error that ended it. ---- */

static void WINAPI next_piece(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    struct reading *reading = context;
    if (starting)
        note("on the starter's stack");
    add(reading, reading->room, bytes);
    if (error == 0 && bytes > 0)
        error = (DWORD)start(ecb, reading, PIECE);
    if (error == 0 && bytes > 0)
        return;
    if (error)
        answer(ecb, "error %u", (unsigned)error);
    else
        answer(ecb, "%lu %lu", reading->count, reading->sum);
    free(reading);
    done(ecb);
}

static DWORD all(ECB *ecb)
{
    struct reading *reading = calloc(1, sizeof *reading);
    add(reading, ecb->lpbData, ecb->cbAvailable);
    on_completion(ecb, next_piece, reading);
    start(ecb, reading, PIECE);
    return HSE_STATUS_PENDING;
}

/* ---- What is refused. ---- */

static DWORD refused(ECB *ecb)
{
    char room[16];
    DWORD size = sizeof room, none = 0, sync = HSE_IO_SYNC, async = HSE_IO_ASYNC;
    int unregistered = asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, room, &size, &async);
    on_completion(ecb, next_piece, 0);
    on_completion(ecb, 0, 0);
    int again = asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, room, &size, &async);
    on_completion(ecb, next_piece, 0);
    int wrong_type = asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, room, &size, &sync);
    int no_type = asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, room, &size, 0);
    int no_size = asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, room, 0, &async);
    int no_room = asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, 0, &size, &async);
    int empty = asked(ecb, HSE_REQ_ASYNC_READ_CLIENT, room, &none, &async);
    return answer(ecb, "%d %d %d %d %d %d %d", unregistered, again, wrong_type, no_type, no_size, no_room, empty);
}

/* ---- A read that is outstanding while other things happen. ---- */

static struct reading pending_read;

static void WINAPI told(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)ecb;
    memset(context, 0xEE, PIECE);
    note("%u %u%s", (unsigned)bytes, (unsigned)error, starting ? " on the starter's stack" : "");
}

static void WINAPI told_and_done(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    told(ecb, context, bytes, error);
    done(ecb);
}

static void begin_reading_for(ECB *ecb, PFN_HSE_IO_COMPLETION completed)
{
    on_completion(ecb, completed, pending_read.room);
    int error = start(ecb, &pending_read, PIECE);
    if (error)
        note("not started: %d", error);
}

static void begin_reading(ECB *ecb)
{
    begin_reading_for(ecb, told);
}

/* How many bytes of the room are not as the completion left them. */
static DWORD touched(ECB *ecb)
{
    int count = 0;
    for (int i = 0; i < PIECE; i++)
        count += pending_read.room[i] != 0xEE;
    return answer(ecb, "%d", count);
}

static DWORD pending(ECB *ecb)
{
    begin_reading_for(ecb, told_and_done);
    note("started");
    return HSE_STATUS_PENDING;
}

static DWORD never_done(ECB *ecb)
{
    begin_reading(ecb);
    return HSE_STATUS_PENDING;
}

static DWORD done_at_once(ECB *ecb)
{
    begin_reading(ecb);
    text_head(ecb);
    done(ecb);
    return HSE_STATUS_PENDING;
}

static DWORD returned(ECB *ecb)
{
    begin_reading(ecb);
    return answer(ecb, "returned");
}

static DWORD unregistered(ECB *ecb)
{
    begin_reading(ecb);
    on_completion(ecb, 0, 0);
    return answer(ecb, "returned");
}

static DWORD closed(ECB *ecb)
{
    begin_reading(ecb);
    asked(ecb, HSE_REQ_CLOSE_CONNECTION, 0, 0, 0);
    wait_for(&notes_left, 1);
    return HSE_STATUS_ERROR;
}

static DWORD both_kinds(ECB *ecb)
{
    char room[16];
    DWORD size = sizeof room;
    begin_reading(ecb);
    errno = 0;
    int sync = ecb->ReadClient(ecb->ConnID, room, &size) ? 0 : errno;
    int second = start(ecb, &pending_read, PIECE);
    int write = text_head(ecb) || put(ecb, "written");
    note("%d %d %d", sync, second, write);
    wait_for(&notes_left, 2);
    return HSE_STATUS_SUCCESS;
}

/* One thread waits in ReadClient, the other starts a read: one of the two is refused. */
static void *read_on_thread(void *argument)
{
    ECB *ecb = argument;
    char room[16];
    DWORD size = sizeof room;
    errno = 0;
    int error = ecb->ReadClient(ecb->ConnID, room, &size) ? 0 : errno;
    note("sync %d", error);
    return 0;
}

static void WINAPI read_ended(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    (void)ecb, (void)context, (void)bytes;
    note("async %u", (unsigned)error);
}

static DWORD race(ECB *ecb)
{
    on_completion(ecb, read_ended, 0);
    on_thread(read_on_thread, ecb);
    if (number(ecb, "WAIT"))
        usleep(50000);
    int error = start(ecb, &pending_read, PIECE);
    if (error)
        note("async %d", error);
    wait_for(&notes_left, 2);
    return answer(ecb, "over");
}

/* ---- CANCEL_IO: the completion reads on, so nothing of the body is lost. ---- */

static void WINAPI after_cancel(ECB *ecb, void *context, DWORD bytes, DWORD error)
{
    note("%u %u", (unsigned)bytes, (unsigned)error);
    on_completion(ecb, next_piece, context);
    int next = start(ecb, context, PIECE);
    if (next)
        answer(ecb, "not started: %d", next), done(ecb);
}

static DWORD cancelled(ECB *ecb)
{
    struct reading *reading = calloc(1, sizeof *reading);
    add(reading, ecb->lpbData, ecb->cbAvailable);
    int before = asked(ecb, HSE_REQ_CANCEL_IO, 0, 0, 0);
    on_completion(ecb, after_cancel, reading);
    int started = start(ecb, reading, PIECE);
    int cancel = asked(ecb, HSE_REQ_CANCEL_IO, 0, 0, 0);
    note("%d %d %d", before, started, cancel);
    return HSE_STATUS_PENDING;
}

static const struct behaviour behaviours[] = {
    {"all", all}, {"refused", refused}, {"pending", pending}, {"never_done", never_done}, {"done_at_once", done_at_once}, {"returned", returned},
    {"unregistered", unregistered}, {"closed", closed}, {"both_kinds", both_kinds}, {"race", race},
    {"cancelled", cancelled}, {"touched", touched}, {"notes", notes},
};

PROBE(behaviours)
