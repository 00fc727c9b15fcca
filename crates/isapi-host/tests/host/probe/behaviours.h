/* What the probes share: short names for the callbacks, notes that outlive a request, and the choice of a behaviour by
   the query string. A probe ends with PROBE(table). Failing callbacks are reported as the code they left in errno. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "isapi.h"

typedef EXTENSION_CONTROL_BLOCK ECB;

struct behaviour {
    const char *name;
    DWORD (*run)(ECB *);
};

/* Not zero while this thread is inside a call that starts an operation: no completion may come then. */
static __thread int starting;

static inline BOOL support(ECB *ecb, DWORD request, void *buffer, DWORD *size, void *type)
{
    starting++;
    BOOL ok = ecb->ServerSupportFunction(ecb->ConnID, request, buffer, size, (DWORD *)type);
    starting--;
    return ok;
}

/* 0, or the error. */
static inline int asked(ECB *ecb, DWORD request, void *buffer, DWORD *size, void *type)
{
    errno = 0;
    return support(ecb, request, buffer, size, type) ? 0 : errno;
}

static inline int put_bytes(ECB *ecb, const void *data, DWORD size, DWORD flags)
{
    errno = 0;
    starting++;
    BOOL ok = ecb->WriteClient(ecb->ConnID, (void *)data, &size, flags);
    starting--;
    return ok ? 0 : errno;
}

static inline int put(ECB *ecb, const char *text)
{
    return put_bytes(ecb, text, (DWORD)strlen(text), HSE_IO_SYNC);
}

static inline int head(ECB *ecb, const char *status, const char *headers)
{
    HSE_SEND_HEADER_EX_INFO info = {status, headers, (DWORD)strlen(status), (DWORD)strlen(headers), TRUE};
    return asked(ecb, HSE_REQ_SEND_RESPONSE_HEADER_EX, &info, 0, 0);
}

static inline int text_head(ECB *ecb)
{
    return head(ecb, "200 OK", "Content-Type: text/plain\r\n\r\n");
}

__attribute__((format(printf, 2, 3))) static inline DWORD answer(ECB *ecb, const char *format, ...)
{
    char text[65536];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    text_head(ecb);
    put(ecb, text);
    return HSE_STATUS_SUCCESS;
}

static inline int done(ECB *ecb)
{
    DWORD status = HSE_STATUS_SUCCESS;
    return asked(ecb, HSE_REQ_DONE_WITH_SESSION, &status, 0, 0);
}

static inline int on_completion(ECB *ecb, PFN_HSE_IO_COMPLETION completed, void *context)
{
    return asked(ecb, HSE_REQ_IO_COMPLETION, (void *)completed, 0, context);
}

/* The header X-<name>, or nothing. */
static inline const char *header(ECB *ecb, const char *name, char *value, DWORD size)
{
    char variable[64];
    snprintf(variable, sizeof variable, "HTTP_X_%s", name);
    if (!ecb->GetServerVariable(ecb->ConnID, variable, value, &size))
        value[0] = 0;
    return value;
}

static inline unsigned long number(ECB *ecb, const char *name)
{
    char value[64];
    return strtoul(header(ecb, name, value, sizeof value), 0, 0);
}

/* ---- Notes: behaviours leave them, the behaviours `notes` and `gate` of any later request read and answer them. ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char noted[8192];
static unsigned long notes_left, gates_open;

__attribute__((format(printf, 1, 2))) static inline void note(const char *format, ...)
{
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    pthread_mutex_lock(&lock);
    if (notes_left > 0)
        strcat(noted, ",");
    strcat(noted, text);
    notes_left++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Waits until `*count` has reached `least`, at most ten seconds. */
static inline void wait_for(unsigned long *count, unsigned long least)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 10;
    pthread_mutex_lock(&lock);
    while (*count < least && pthread_cond_timedwait(&changed, &lock, &end) == 0)
        ;
    pthread_mutex_unlock(&lock);
}

/* The notes so far, once there are as many as X-Count says. */
static inline DWORD notes(ECB *ecb)
{
    char text[sizeof noted];
    wait_for(&notes_left, number(ecb, "COUNT"));
    pthread_mutex_lock(&lock);
    strcpy(text, noted);
    pthread_mutex_unlock(&lock);
    return answer(ecb, "%s", text);
}

/* Opens the gate that a behaviour waits at. */
static inline DWORD gate(ECB *ecb)
{
    pthread_mutex_lock(&lock);
    gates_open++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return answer(ecb, "open");
}

static inline void on_thread(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    pthread_create(&thread, 0, run, argument);
    pthread_detach(thread);
}

static inline DWORD run_behaviour(ECB *ecb, const struct behaviour *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(ecb->lpszQueryString, table[i].name) == 0)
            return table[i].run(ecb);
    head(ecb, "404 No Such Behaviour", "Content-Length: 0\r\n\r\n");
    return HSE_STATUS_SUCCESS;
}

#define PROBE(table)                                                                                                   \
    BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version)                                                         \
    {                                                                                                                  \
        version->dwExtensionVersion = HSE_VERSION;                                                                     \
        strcpy(version->lpszExtensionDesc, "probe of the host's tests");                                               \
        return TRUE;                                                                                                   \
    }                                                                                                                  \
                                                                                                                       \
    DWORD WINAPI HttpExtensionProc(ECB *ecb)                                                                           \
    {                                                                                                                  \
        return run_behaviour(ecb, table, sizeof table / sizeof *table);                                                \
    }
