/*
 * visitors.c - a visitor book: an ISAPI extension in C that builds for Linux and for Windows.
 *
 *   GET  /visitors?show=5     the page, with the latest five entries
 *   POST /visitors            a new entry: the form fields `name` and `text`
 *
 * A POST is answered before HttpExtensionProc returns. The page is sent asynchronously: HttpExtensionProc
 * starts the first write and returns, and a server thread finishes the request when the last byte is out.
 *
 * HttpExtensionProc is called on many threads of the server at once. What they share is `book`, and whoever
 * touches it holds its lock. Nothing is kept on disk: the book is empty again when the server starts.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32

#include <winsock2.h>
#include <windows.h>
#include <httpext.h>

static SRWLOCK book_lock = SRWLOCK_INIT;
static void lock_book(void) { AcquireSRWLockExclusive(&book_lock); }
static void unlock_book(void) { ReleaseSRWLockExclusive(&book_lock); }

#else

#include <pthread.h>

#include "isapi.h" /* on Unix its GetLastError is errno, where the server's callbacks leave the error */

static pthread_mutex_t book_lock = PTHREAD_MUTEX_INITIALIZER;
static void lock_book(void) { pthread_mutex_lock(&book_lock); }
static void unlock_book(void) { pthread_mutex_unlock(&book_lock); }

#endif

enum {
    MAX_BODY_BYTES = 8 * 1024, /* of a POST; more is refused */
    MAX_ENTRIES = 100,         /* the oldest one makes room */
    BLOCK_BYTES = 16 * 1024    /* of the page, per asynchronous write */
};

/* ---- Text that grows ------------------------------------------------------------------------ */

struct text {
    char *bytes; /* NULL when empty or when memory ran out */
    size_t length, capacity;
    int failed;
};

static void text_free(struct text *text)
{
    free(text->bytes);
    memset(text, 0, sizeof *text);
}

static void text_add(struct text *text, const char *bytes, size_t length)
{
    if (text->failed)
        return;
    if (text->length + length > text->capacity) {
        size_t capacity = 2 * (text->length + length);
        char *grown = realloc(text->bytes, capacity);
        if (grown == NULL) {
            text_free(text);
            text->failed = 1;
            return;
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void text_put(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

/* Whatever came from a client goes into the page through here, so that it cannot become markup. */
static void text_put_escaped(struct text *text, const char *string)
{
    for (; *string != '\0'; string++) {
        switch (*string) {
        case '&': text_put(text, "&amp;"); break;
        case '<': text_put(text, "&lt;"); break;
        case '>': text_put(text, "&gt;"); break;
        case '"': text_put(text, "&quot;"); break;
        default: text_add(text, string, 1);
        }
    }
}

/* ---- What the server tells ------------------------------------------------------------------ */

/* Leave a note in the server's log entry of this request. `error` is what GetLastError gave right after the
 * call that failed: on Unix it is errno, which any library call in between may overwrite. */
static void note(EXTENSION_CONTROL_BLOCK *ecb, const char *call, DWORD error)
{
    snprintf(ecb->lpszLogData, HSE_LOG_BUFFER_LEN, " %s failed: %lu", call, (unsigned long)error);
}

/* A server variable as a new string, which the caller frees; NULL when there is none.
 * No size is enough for all values, so the server tells by error 122 how much it takes. */
static char *variable(EXTENSION_CONTROL_BLOCK *ecb, const char *name)
{
    DWORD size = 64;
    char *value = NULL;
    for (;;) {
        char *grown = realloc(value, size);
        DWORD error;
        if (grown == NULL)
            break;
        value = grown;
        if (ecb->GetServerVariable(ecb->ConnID, (LPSTR)name, value, &size))
            return value;
        error = GetLastError();
        if (error == ERROR_INSUFFICIENT_BUFFER)
            continue; /* `size` is now what it takes */
        if (error != ERROR_INVALID_INDEX) /* 1413, no such variable, is the ordinary case of a header not sent */
            note(ecb, "GetServerVariable", error);
        break;
    }
    free(value);
    return NULL;
}

/* Read the whole body into `body`, which has room for one byte more than MAX_BODY_BYTES, and a final NUL.
 * Returns the status of the refusal, or NULL. */
static const char *read_body(EXTENSION_CONTROL_BLOCK *ecb, char *body)
{
    /* A chunked body's length is not known. One byte too many then shows that it is too long. */
    int known = ecb->cbTotalBytes != 0xFFFFFFFF;
    DWORD end = known ? ecb->cbTotalBytes : MAX_BODY_BYTES + 1;
    DWORD have = ecb->cbAvailable; /* the first part is here already; ReadClient gives what follows it */

    if (have > MAX_BODY_BYTES || (known && end > MAX_BODY_BYTES))
        return "413 Content Too Large";
    if (have > 0)
        memcpy(body, ecb->lpbData, have);
    while (have < end) {
        DWORD size = end - have;
        if (!ecb->ReadClient(ecb->ConnID, body + have, &size)) {
            note(ecb, "ReadClient", GetLastError());
            return "400 Bad Request";
        }
        if (size == 0)
            break;
        have += size;
    }
    if (have > MAX_BODY_BYTES)
        return "413 Content Too Large";
    if ((known && have < end) || memchr(body, '\0', have) != NULL)
        return "400 Bad Request";
    body[have] = '\0';
    return NULL;
}

/* ---- Forms ---------------------------------------------------------------------------------- */

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = digit != '\0' ? strchr(digits, digit) : NULL;
    return found != NULL ? (int)((found - digits) % 16) : -1;
}

/* Find `name` in "a=1&b=2" and decode its value into `value`, which has room for `size` bytes.
 * Returns 0 when the field is missing, too long or holds a NUL. */
static int field(const char *form, const char *name, char *value, size_t size)
{
    size_t length = strlen(name), used = 0;
    while (strncmp(form, name, length) != 0 || form[length] != '=') {
        form = strchr(form, '&');
        if (form == NULL)
            return 0;
        form++;
    }
    for (form += length + 1; *form != '\0' && *form != '&'; form++) {
        char byte = *form == '+' ? ' ' : *form;
        int high = byte == '%' ? hex_digit(form[1]) : -1;
        int low = high >= 0 ? hex_digit(form[2]) : -1;
        if (low >= 0) {
            byte = (char)(high * 16 + low);
            form += 2;
        }
        if (byte == '\0' || used + 1 >= size)
            return 0;
        value[used++] = byte;
    }
    value[used] = '\0';
    return 1;
}

/* ---- The book ------------------------------------------------------------------------------- */

struct entry {
    char name[64], text[1024];
};

static struct {
    struct entry entries[MAX_ENTRIES]; /* a ring: entry number n is at n % MAX_ENTRIES */
    unsigned long count;               /* how many were ever made */
} book;

static void add_entry(const struct entry *entry)
{
    lock_book();
    book.entries[book.count++ % MAX_ENTRIES] = *entry;
    unlock_book();
}

static void put_entries(struct text *page, unsigned long limit)
{
    unsigned long number;
    lock_book();
    for (number = book.count; number > 0 && limit > 0 && book.count - number < MAX_ENTRIES; number--, limit--) {
        const struct entry *entry = &book.entries[(number - 1) % MAX_ENTRIES];
        text_put(page, "<dt>");
        text_put_escaped(page, entry->name);
        text_put(page, "</dt>\n<dd>");
        text_put_escaped(page, entry->text);
        text_put(page, "</dd>\n");
    }
    unlock_book();
}

/* ---- Answers -------------------------------------------------------------------------------- */

/* Send status and headers: `more` holds further header lines. The length lets the connection be kept. */
static BOOL send_head(EXTENSION_CONTROL_BLOCK *ecb, const char *status, size_t length, const char *more)
{
    char headers[256];
    HSE_SEND_HEADER_EX_INFO head;
    int written = snprintf(headers, sizeof headers, "Content-Type: text/html; charset=utf-8\r\nContent-Length: %lu\r\n%s\r\n",
                           (unsigned long)length, more);
    memset(&head, 0, sizeof head);
    head.pszStatus = status;
    head.cchStatus = (DWORD)strlen(status);
    head.pszHeader = headers;
    head.cchHeader = (DWORD)written;
    head.fKeepConn = TRUE;
    ecb->dwHttpStatusCode = (DWORD)strtoul(status, NULL, 10);
    if (ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL))
        return TRUE;
    note(ecb, "SEND_RESPONSE_HEADER_EX", GetLastError());
    return FALSE;
}

/* Answer at once, with the status as the page: WriteClient returns when the server has taken the bytes. */
static DWORD answer(EXTENSION_CONTROL_BLOCK *ecb, const char *status, const char *more)
{
    DWORD size = (DWORD)strlen(status);
    if (!send_head(ecb, status, size, more))
        return HSE_STATUS_ERROR;
    if (!ecb->WriteClient(ecb->ConnID, (LPVOID)status, &size, HSE_IO_SYNC)) {
        note(ecb, "WriteClient", GetLastError());
        return HSE_STATUS_ERROR;
    }
    return HSE_STATUS_SUCCESS;
}

/* A page on its way to the client. The server reads it until the last completion, so it is not on the stack. */
struct sending {
    EXTENSION_CONTROL_BLOCK *ecb;
    struct text page;
    size_t sent;
};

/* Finish the request. Its control block is dead after this. */
static void end_sending(struct sending *sending, DWORD status)
{
    EXTENSION_CONTROL_BLOCK *ecb = sending->ecb;
    text_free(&sending->page);
    free(sending);
    ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_DONE_WITH_SESSION, &status, NULL, NULL);
}

/* Start sending the next block, or finish after the last. The completion may be running on another thread
 * before WriteClient has even returned: after a start that succeeded nothing here may be touched. */
static void send_next(struct sending *sending)
{
    EXTENSION_CONTROL_BLOCK *ecb = sending->ecb;
    char *block = sending->page.bytes + sending->sent;
    size_t left = sending->page.length - sending->sent;
    DWORD size = (DWORD)(left < BLOCK_BYTES ? left : BLOCK_BYTES);
    if (left == 0) {
        end_sending(sending, HSE_STATUS_SUCCESS);
        return;
    }
    sending->sent += size;
    if (!ecb->WriteClient(ecb->ConnID, block, &size, HSE_IO_ASYNC)) {
        note(ecb, "WriteClient", GetLastError());
        end_sending(sending, HSE_STATUS_ERROR); /* no completion follows a start that failed */
    }
}

/* The server calls this once for each write, on any of its threads. Here the error is an argument. */
static void WINAPI block_sent(EXTENSION_CONTROL_BLOCK *ecb, PVOID context, DWORD count, DWORD error)
{
    struct sending *sending = context;
    (void)count;
    if (error == 0) {
        send_next(sending);
        return;
    }
    note(ecb, "asynchronous WriteClient", error);
    end_sending(sending, HSE_STATUS_ERROR);
}

/* Send the page, which this takes over, and leave the rest of the request to the completions. */
static DWORD answer_later(EXTENSION_CONTROL_BLOCK *ecb, struct text *page)
{
    struct sending *sending = page->failed ? NULL : malloc(sizeof *sending);
    if (sending == NULL) {
        text_free(page);
        return answer(ecb, "500 Internal Server Error", "");
    }
    sending->ecb = ecb;
    sending->page = *page;
    sending->sent = 0;
    if (!send_head(ecb, "200 OK", page->length, "") ||
        !ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_IO_COMPLETION, (LPVOID)block_sent, NULL, (LPDWORD)sending)) {
        text_free(page);
        free(sending);
        return HSE_STATUS_ERROR;
    }
    send_next(sending);
    return HSE_STATUS_PENDING;
}

/* ---- The requests --------------------------------------------------------------------------- */

static DWORD show_book(EXTENSION_CONTROL_BLOCK *ecb)
{
    struct text page = {0};
    char show[16];
    unsigned long limit = field(ecb->lpszQueryString, "show", show, sizeof show) ? strtoul(show, NULL, 10) : 20;
    char *browser = variable(ecb, "HTTP_USER_AGENT");

    text_put(&page, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Visitors</title>\n"
                    "<h1>Visitors</h1>\n<form method=\"post\">\n<input name=\"name\" placeholder=\"Your name\">\n"
                    "<input name=\"text\" placeholder=\"A few words\">\n<button>Sign</button>\n</form>\n<dl>\n");
    put_entries(&page, limit);
    text_put(&page, "</dl>\n<p>Your browser: ");
    text_put_escaped(&page, browser != NULL ? browser : "unknown");
    text_put(&page, "</p>\n</html>\n");
    free(browser);
    return answer_later(ecb, &page);
}

static DWORD sign_book(EXTENSION_CONTROL_BLOCK *ecb)
{
    static const char form[] = "application/x-www-form-urlencoded";
    char body[MAX_BODY_BYTES + 2];
    struct entry entry;
    const char *refusal;
    if (strncmp(ecb->lpszContentType, form, strlen(form)) != 0)
        return answer(ecb, "415 Unsupported Media Type", "");
    refusal = read_body(ecb, body);
    if (refusal != NULL)
        return answer(ecb, refusal, "");
    if (!field(body, "name", entry.name, sizeof entry.name) || !field(body, "text", entry.text, sizeof entry.text))
        return answer(ecb, "400 Bad Request", "");
    add_entry(&entry);
    /* "?" is this same URL without a query; a reload of the page does not post again. */
    return answer(ecb, "303 See Other", "Location: ?\r\n");
}

/* ---- What the server calls ------------------------------------------------------------------ */

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version)
{
    version->dwExtensionVersion = MAKELONG(HSE_VERSION_MINOR, HSE_VERSION_MAJOR);
    snprintf(version->lpszExtensionDesc, HSE_MAX_EXT_DLL_NAME_LEN, "A visitor book");
    return TRUE;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb)
{
    if (strcmp(ecb->lpszMethod, "POST") == 0)
        return sign_book(ecb);
    if (strcmp(ecb->lpszMethod, "GET") == 0 || strcmp(ecb->lpszMethod, "HEAD") == 0)
        return show_book(ecb);
    return answer(ecb, "405 Method Not Allowed", "Allow: GET, HEAD, POST\r\n");
}

/* All requests have ended by now, and the book is static: there is nothing to give back. */
BOOL WINAPI TerminateExtension(DWORD flags)
{
    (void)flags;
    return TRUE;
}
