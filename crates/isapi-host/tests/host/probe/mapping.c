/* The requests that map URLs to files. The URL is in X-Url; the answer has what came back, and whether bytes behind it
   have been written. */
#include "behaviours.h"

enum { GUARD = 0x5A };

static int spoilt(const void *start, size_t from, size_t to)
{
    int count = 0;
    for (size_t i = from; i < to; i++)
        count += ((const unsigned char *)start)[i] != GUARD;
    return count;
}

/* UTF-8 to UTF-16, in the part of it that tests use. */
static size_t widen(WCHAR *wide, const char *text)
{
    size_t length = 0;
    const unsigned char *byte = (const unsigned char *)text;
    while (*byte) {
        if (*byte < 0x80)
            wide[length++] = *byte++;
        else
            wide[length++] = (WCHAR)((byte[0] & 0x1F) << 6 | (byte[1] & 0x3F)), byte += 2;
    }
    wide[length] = 0;
    return length;
}

static void narrow(char *text, const WCHAR *wide)
{
    for (; *wide; wide++)
        if (*wide < 0x80)
            *text++ = (char)*wide;
        else
            *text++ = (char)(0xC0 | *wide >> 6), *text++ = (char)(0x80 | (*wide & 0x3F));
    *text = 0;
}

static DWORD map_ex(ECB *ecb)
{
    char url[4096];
    struct {
        HSE_URL_MAPEX_INFO info;
        unsigned char guard[16];
    } out;
    memset(&out, GUARD, sizeof out);
    DWORD size = (DWORD)strlen(header(ecb, "URL", url, sizeof url));
    int error = asked(ecb, HSE_REQ_MAP_URL_TO_PATH_EX, url, number(ecb, "NOSIZE") ? 0 : &size, &out.info);
    if (error && error != 122)
        return answer(ecb, "%d touched %d", error, spoilt(&out, 0, sizeof out));
    return answer(ecb, "%d %.260s %u %#x %u %u behind %d", error, out.info.lpszPath,
                  (unsigned)strnlen(out.info.lpszPath, 260), (unsigned)out.info.dwFlags,
                  (unsigned)out.info.cchMatchingPath, (unsigned)out.info.cchMatchingURL,
                  spoilt(&out, 280, sizeof out));
}

static DWORD map_unicode_ex(ECB *ecb)
{
    char url[4096], path[800];
    WCHAR wide[4096];
    struct {
        HSE_UNICODE_URL_MAPEX_INFO info;
        unsigned char guard[16];
    } out;
    memset(&out, GUARD, sizeof out);
    DWORD size = (DWORD)widen(wide, header(ecb, "URL", url, sizeof url)) * 2;
    if (number(ecb, "BAD"))
        wide[1] = 0xD800;
    int error = asked(ecb, HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX, wide, &size, &out.info);
    if (error && error != 122)
        return answer(ecb, "%d touched %d", error, spoilt(&out, 0, sizeof out));
    narrow(path, out.info.lpszPath);
    return answer(ecb, "%d %s %#x %u %u behind %d", error, path, (unsigned)out.info.dwFlags,
                  (unsigned)out.info.cchMatchingPath, (unsigned)out.info.cchMatchingURL,
                  spoilt(&out, 532, sizeof out));
}

/* X-Room is the buffer's size in bytes. */
static DWORD map_unicode(ECB *ecb)
{
    char url[4096], path[4096];
    WCHAR wide[4096];
    memset(wide, GUARD, sizeof wide);
    size_t length = widen(wide, header(ecb, "URL", url, sizeof url));
    DWORD size = (DWORD)number(ecb, "ROOM");
    size_t end = size < 2 * (length + 1) ? 2 * (length + 1) : size;
    int error = asked(ecb, HSE_REQ_MAP_UNICODE_URL_TO_PATH, wide, &size, 0);
    if (error)
        return answer(ecb, "%d %u behind %d", error, (unsigned)size, spoilt(wide, end, sizeof wide));
    narrow(path, wide);
    return answer(ecb, "0 %u %s behind %d", (unsigned)size, path, spoilt(wide, end, sizeof wide));
}

static DWORD normalize(ECB *ecb)
{
    char url[512];
    memset(url, GUARD, sizeof url);
    char value[256];
    strcpy(url, header(ecb, "URL", value, sizeof value));
    size_t end = strlen(url) + 1;
    int error = asked(ecb, HSE_REQ_NORMALIZE_URL, url, 0, 0);
    return answer(ecb, "%d %s behind %d", error, url, spoilt(url, end, sizeof url));
}

static DWORD nulls(ECB *ecb)
{
    char url[] = "/x";
    WCHAR wide[] = {'/', 'x', 0};
    HSE_URL_MAPEX_INFO info;
    DWORD size = sizeof wide, none = 0;
    int results[9] = {
        asked(ecb, HSE_REQ_MAP_URL_TO_PATH_EX, 0, &size, &info),
        asked(ecb, HSE_REQ_MAP_URL_TO_PATH_EX, url, &size, 0),
        asked(ecb, HSE_REQ_MAP_URL_TO_PATH_EX, url, &none, &info),
        asked(ecb, HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX, 0, &size, &info),
        asked(ecb, HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX, wide, &size, 0),
        asked(ecb, HSE_REQ_MAP_UNICODE_URL_TO_PATH, 0, &size, 0),
        asked(ecb, HSE_REQ_MAP_UNICODE_URL_TO_PATH, wide, 0, 0),
        asked(ecb, HSE_REQ_MAP_UNICODE_URL_TO_PATH, wide, &none, 0),
        asked(ecb, HSE_REQ_NORMALIZE_URL, 0, 0, 0),
    };
    char text[128] = "";
    for (int i = 0; i < 9; i++)
        sprintf(text + strlen(text), "%d ", results[i]);
    return answer(ecb, "%s", text);
}

static const struct behaviour behaviours[] = {
    {"map_ex", map_ex}, {"map_unicode_ex", map_unicode_ex}, {"map_unicode", map_unicode}, {"normalize", normalize},
    {"nulls", nulls},
};

PROBE(behaviours)
