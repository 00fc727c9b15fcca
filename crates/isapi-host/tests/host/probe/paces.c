/* A handler that is fast at first and then does what the query string says: what it takes for a handler to run on the
   event loop's own thread, and then to misbehave there. */
#include "behaviours.h"

static DWORD quick(ECB *ecb)
{
    return answer(ecb, "quick");
}

static DWORD sleeper(ECB *ecb)
{
    usleep(1000 * 1000);
    return answer(ecb, "slept");
}

static DWORD reader(ECB *ecb)
{
    char piece[10000];
    DWORD size;
    do {
        size = sizeof piece;
    } while (ecb->ReadClient(ecb->ConnID, piece, &size) && size > 0);
    return answer(ecb, "read");
}

static DWORD writer(ECB *ecb)
{
    static char piece[1000000];
    memset(piece, 'x', sizeof piece);
    text_head(ecb);
    for (int i = 0; i < 30; i++)
        put_bytes(ecb, piece, sizeof piece, HSE_IO_SYNC);
    return HSE_STATUS_SUCCESS;
}

/* Fills the response without waiting, with chunks of its own, and answers how it was refused. */
static DWORD impatient(ECB *ecb)
{
    char chunks[8 * 1100];
    int length = 0;
    for (int i = 0; i < 8; i++)
        length += sprintf(chunks + length, "3e8\r\n%01000d\r\n", i);
    DWORD promised = 0;
    int refused = asked(ecb, HSE_REQ_NEVER_WAITS, &promised, 0, 0);
    note("%d %u", refused, (unsigned)promised);
    head(ecb, "200 OK", "Transfer-Encoding: chunked\r\n\r\n");
    int taken = 0, error;
    while ((error = put_bytes(ecb, chunks, length, HSE_IO_DO_NOT_WAIT)) == 0 && taken < 10000)
        taken++;
    note("%s %d", taken > 0 ? "taken" : "not taken", error);
    put_bytes(ecb, "0\r\n\r\n", 5, HSE_IO_SYNC);
    return HSE_STATUS_SUCCESS;
}

static const struct behaviour behaviours[] = {
    {"quick", quick}, {"sleeper", sleeper}, {"reader", reader}, {"writer", writer}, {"impatient", impatient},
    {"notes", notes},
};

PROBE(behaviours)
