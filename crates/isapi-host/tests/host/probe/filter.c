// A filter that does one thing on one notification. What it asks for, when it acts and how are given to the compiler:
//   FLAGS  SF_NOTIFY_* bits
//   ON     the notification on which it acts
//   ACT    the function below that it calls then; its result is the filter's
//   TEXT   a text for that function
// On everything else it answers SF_STATUS_REQ_NEXT_NOTIFICATION.

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isapi.h"

#define UNUSED __attribute__((unused))
#define NEXT SF_STATUS_REQ_NEXT_NOTIFICATION

#ifndef TEXT
#define TEXT ""
#endif
#ifndef ON
#define ON 0
#define ACT nothing
#endif

typedef HTTP_FILTER_CONTEXT *Context;

UNUSED static DWORD nothing(Context pfc UNUSED, void *data UNUSED) { return NEXT; }

// ---- Answers without doing anything.

UNUSED static DWORD answer_finished(Context pfc UNUSED, void *data UNUSED) { return SF_STATUS_REQ_FINISHED; }
UNUSED static DWORD answer_handled(Context pfc UNUSED, void *data UNUSED) { return SF_STATUS_REQ_HANDLED_NOTIFICATION; }
UNUSED static DWORD answer_garbage(Context pfc UNUSED, void *data UNUSED) { return 0x80000002; }
UNUSED static DWORD answer_read_next(Context pfc UNUSED, void *data UNUSED) { return SF_STATUS_REQ_READ_NEXT; }
UNUSED static DWORD answer_error(Context pfc UNUSED, void *data UNUSED) {
  errno = 1234;
  return SF_STATUS_REQ_ERROR;
}
UNUSED static DWORD answer_denied(Context pfc UNUSED, void *data UNUSED) {
  errno = ERROR_ACCESS_DENIED;
  return SF_STATUS_REQ_ERROR;
}
UNUSED static DWORD answer_never(Context pfc UNUSED, void *data UNUSED) {
  for (;;) pause();
  return NEXT;
}

// ---- Sends something instead of a response.

static void write_text(Context pfc, const char *text) {
  DWORD size = strlen(text);
  pfc->WriteClient(pfc, (void *)text, &size, 0);
}

UNUSED static DWORD send_page(Context pfc, void *data UNUSED) {
  pfc->ServerSupportFunction(pfc, SF_REQ_SEND_RESPONSE_HEADER, "403 Forbidden",
                             (ULONG_PTR) "Content-Type: text/plain\r\nX-Filter: yes\r\n\r\n", 0);
  write_text(pfc, "not for you");
  return SF_STATUS_REQ_FINISHED;
}
UNUSED static DWORD send_page_and_keep(Context pfc, void *data) {
  send_page(pfc, data);
  return SF_STATUS_REQ_FINISHED_KEEP_CONN;
}
UNUSED static DWORD send_page_and_go_on(Context pfc, void *data) {
  send_page(pfc, data);
  return NEXT;
}
UNUSED static DWORD send_raw(Context pfc, void *data UNUSED) {
  write_text(pfc, TEXT);
  return SF_STATUS_REQ_FINISHED_KEEP_CONN;
}
UNUSED static DWORD write_and_go_on(Context pfc, void *data UNUSED) {
  write_text(pfc, TEXT);
  return NEXT;
}

// ---- Heads.

// TEXT is "name|value".
static BOOL header_call(Context pfc, void *data, int adds) {
  HTTP_FILTER_PREPROC_HEADERS *headers = data;
  char name[256];
  strcpy(name, TEXT);
  char *value = strchr(name, '|');
  *value++ = 0;
  return adds ? headers->AddHeader(pfc, name, value) : headers->SetHeader(pfc, name, value);
}
UNUSED static DWORD set_header(Context pfc, void *data) {
  header_call(pfc, data, 0);
  return NEXT;
}
UNUSED static DWORD add_header(Context pfc, void *data) {
  header_call(pfc, data, 1);
  return NEXT;
}

static char split_error[64];

// Tries to split the response; says in a header what it was told.
UNUSED static DWORD split_response(Context pfc, void *data) {
  HTTP_FILTER_PREPROC_HEADERS *headers = data;
  errno = 0;
  BOOL set = headers->SetHeader(pfc, "X-A:", "a\r\nX-Split: yes");
  sprintf(split_error, "%d %d", set, errno);
  headers->AddHeader(pfc, "X-B:", "b\nX-Split: yes");
  headers->SetHeader(pfc, "X-C\r\nX-Split", "c");
  headers->SetHeader(pfc, "status", "200 OK\r\nX-Split: yes");
  pfc->AddResponseHeaders(pfc, "X-D: d\r\n\r\nX-Split: yes", 0);
  headers->SetHeader(pfc, "X-Told:", split_error);
  return NEXT;
}

// Answers with the values of TEXT, names separated by blanks, or the error for each.
static void look_up(Context pfc, void *data, int variables, char *out) {
  HTTP_FILTER_PREPROC_HEADERS *headers = data;
  char names[256];
  strcpy(names, TEXT);
  for (char *name = strtok(names, " "); name; name = strtok(0, " ")) {
    char value[512];
    DWORD size = sizeof value;
    errno = 0;
    BOOL found = variables ? pfc->GetServerVariable(pfc, name, value, &size) : headers->GetHeader(pfc, name, value, &size);
    if (found)
      sprintf(out + strlen(out), "%s=%s(%u)\n", name, value, size);
    else
      sprintf(out + strlen(out), "%s!%d\n", name, errno);
  }
}
static DWORD show(Context pfc, const char *text) {
  pfc->ServerSupportFunction(pfc, SF_REQ_SEND_RESPONSE_HEADER, 0, (ULONG_PTR) "Content-Type: text/plain\r\n\r\n", 0);
  write_text(pfc, text);
  return SF_STATUS_REQ_FINISHED_KEEP_CONN;
}
UNUSED static DWORD show_headers(Context pfc, void *data) {
  char out[4096] = "";
  look_up(pfc, data, 0, out);
  return show(pfc, out);
}
UNUSED static DWORD show_variables(Context pfc, void *data) {
  char out[4096] = "";
  look_up(pfc, data, 1, out);
  return show(pfc, out);
}
UNUSED static DWORD show_size(Context pfc, void *data) {
  HTTP_FILTER_PREPROC_HEADERS *headers = data;
  char out[256], value[4];
  DWORD size = sizeof value;
  errno = 0;
  BOOL found = headers->GetHeader(pfc, "url", value, &size);
  sprintf(out, "%d %d %u", found, errno, size);
  return show(pfc, out);
}
UNUSED static DWORD response_headers(Context pfc, void *data UNUSED) {
  pfc->AddResponseHeaders(pfc, "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n", 0);
  return NEXT;
}
UNUSED static DWORD denial_headers(Context pfc, void *data UNUSED) {
  pfc->ServerSupportFunction(pfc, SF_REQ_ADD_HEADERS_ON_DENIAL, "WWW-Authenticate: Probe\r\n", 0, 0);
  return NEXT;
}
UNUSED static DWORD show_status(Context pfc, void *data) {
  HTTP_FILTER_SEND_RESPONSE *headers = data;
  char text[128], value[64] = "?";
  DWORD size = sizeof value;
  headers->GetHeader(pfc, "status", value, &size);
  sprintf(text, "%u, %s", headers->HttpStatus, value);
  headers->SetHeader(pfc, "X-Status:", text);
  return NEXT;
}

// ---- Mapping and authentication.

UNUSED static DWORD map_to_text(Context pfc UNUSED, void *data) {
  HTTP_FILTER_URL_MAP *map = data;
  if (strlen(TEXT) >= map->cbPathBuff) return SF_STATUS_REQ_ERROR;
  if (!strcmp(map->pszURL, "/mapped")) strcpy(map->pszPhysicalPath, TEXT);
  return NEXT;
}
UNUSED static DWORD show_map(Context pfc, void *data) {
  HTTP_FILTER_URL_MAP *map = data;
  char out[8192];
  sprintf(out, "%s %s", map->pszURL, map->pszPhysicalPath);
  return show(pfc, out);
}
UNUSED static DWORD map_too_far(Context pfc UNUSED, void *data) {
  HTTP_FILTER_URL_MAP *map = data;
  memset(map->pszPhysicalPath, 'x', map->cbPathBuff + 16);
  return NEXT;
}
// TEXT is "name|password": whoever comes is that user.
UNUSED static DWORD log_on(Context pfc UNUSED, void *data) {
  HTTP_FILTER_AUTHENT *authent = data;
  char text[256];
  strcpy(text, TEXT);
  char *password = strchr(text, '|');
  *password++ = 0;
  strcpy(authent->pszUser, text);
  strcpy(authent->pszPassword, password);
  return NEXT;
}
UNUSED static DWORD log_on_too_long(Context pfc UNUSED, void *data) {
  HTTP_FILTER_AUTHENT *authent = data;
  memset(authent->pszUser, 'x', authent->cbUserBuff + 8);
  return NEXT;
}
UNUSED static DWORD show_credentials(Context pfc, void *data) {
  HTTP_FILTER_AUTHENT *authent = data;
  char out[1024];
  sprintf(out, "%s|%s|%u|%u", authent->pszUser, authent->pszPassword, authent->cbUserBuff, authent->cbPasswordBuff);
  return show(pfc, out);
}
UNUSED static DWORD show_denial(Context pfc, void *data) {
  HTTP_FILTER_ACCESS_DENIED *denied = data;
  char out[1024];
  sprintf(out, "%s %x", denied->pszURL, denied->dwReason);
  return show(pfc, out);
}
// The first time around the address becomes TEXT.
UNUSED static DWORD redirect_inside(Context pfc, void *data) {
  HTTP_FILTER_AUTH_COMPLETE_INFO *info = data;
  char url[256];
  DWORD size = sizeof url;
  if (info->GetHeader(pfc, "url", url, &size) && strcmp(url, TEXT)) {
    info->SetHeader(pfc, "url", TEXT);
    info->fResetAuth = TRUE;
  }
  return NEXT;
}
UNUSED static DWORD show_token(Context pfc, void *data) {
  HTTP_FILTER_AUTH_COMPLETE_INFO *info = data;
  HANDLE token = 0;
  char out[64];
  errno = 0;
  BOOL given = info->GetUserToken(pfc, &token);
  sprintf(out, "%d %d", given, errno);
  return show(pfc, out);
}

// ---- Log.

UNUSED static DWORD change_log(Context pfc, void *data) {
  HTTP_FILTER_LOG *log = data;
  char *user = pfc->AllocMem(pfc, 32, 0);
  strcpy(user, "logged user");
  log->pszClientUserName = user;
  log->pszTarget = "/secret";
  log->dwHttpStatus = 299;
  log->dwWin32Status = 7;
  return NEXT;
}

// ---- Raw data.

UNUSED static DWORD upper_case(Context pfc UNUSED, void *data) {
  HTTP_FILTER_RAW_DATA *raw = data;
  char *bytes = raw->pvInData;
  for (DWORD i = 0; i < raw->cbInData; i++)
    if (bytes[i] >= 'a' && bytes[i] <= 'z') bytes[i] -= 32;
  return NEXT;
}
// Keeps a head legible: everything behind the first empty line of a connection's bytes is changed.
UNUSED static DWORD upper_case_bodies(Context pfc, void *data) {
  HTTP_FILTER_RAW_DATA *raw = data;
  char *bytes = raw->pvInData;
  long *seen = pfc->pFilterContext;
  if (!seen) pfc->pFilterContext = seen = calloc(1, sizeof *seen);
  for (DWORD i = 0; i < raw->cbInData; i++) {
    if (*seen == 4) {
      if (bytes[i] >= 'a' && bytes[i] <= 'z') bytes[i] -= 32;
    } else if (bytes[i] == "\r\n\r\n"[*seen]) {
      ++*seen;
    } else {
      *seen = bytes[i] == '\r';
    }
  }
  return NEXT;
}
UNUSED static DWORD xor_bytes(Context pfc UNUSED, void *data) {
  HTTP_FILTER_RAW_DATA *raw = data;
  unsigned char *bytes = raw->pvInData;
  for (DWORD i = 0; i < raw->cbInData; i++) bytes[i] ^= 0x5a;
  return NEXT;
}
UNUSED static DWORD swallow(Context pfc UNUSED, void *data) {
  ((HTTP_FILTER_RAW_DATA *)data)->cbInData = 0;
  return NEXT;
}
// Puts TEXT in front, in memory of the server's.
UNUSED static DWORD prepend(Context pfc, void *data) {
  HTTP_FILTER_RAW_DATA *raw = data;
  DWORD size = strlen(TEXT) + raw->cbInData;
  char *fresh = pfc->AllocMem(pfc, size, 0);
  memcpy(fresh, TEXT, strlen(TEXT));
  memcpy(fresh + strlen(TEXT), raw->pvInData, raw->cbInData);
  raw->pvInData = fresh;
  raw->cbInData = raw->cbInBuffer = size;
  return NEXT;
}
UNUSED static DWORD raw_too_long(Context pfc UNUSED, void *data) {
  HTTP_FILTER_RAW_DATA *raw = data;
  raw->cbInData = raw->cbInBuffer + 1;
  return NEXT;
}
UNUSED static DWORD raw_past_the_end(Context pfc UNUSED, void *data) {
  HTTP_FILTER_RAW_DATA *raw = data;
  memset((char *)raw->pvInData + raw->cbInBuffer, 'x', 16);
  return NEXT;
}
UNUSED static DWORD raw_lie_about_own(Context pfc, void *data) {
  HTTP_FILTER_RAW_DATA *raw = data;
  raw->pvInData = pfc->AllocMem(pfc, 10, 0);
  raw->cbInData = raw->cbInBuffer = 1000000;
  return NEXT;
}
// Wants a whole head before it lets it on.
UNUSED static DWORD whole_heads(Context pfc, void *data) {
  HTTP_FILTER_RAW_DATA *raw = data;
  if (memmem(raw->pvInData, raw->cbInData, "\r\n\r\n", 4)) return NEXT;
  pfc->ServerSupportFunction(pfc, SF_REQ_SET_NEXT_READ_SIZE, 0, 3, 0);
  return SF_STATUS_REQ_READ_NEXT;
}

// ---- Lifetimes.

static Context kept UNUSED;
static int calls UNUSED;

// Uses the context of the first notification in every later one.
UNUSED static DWORD use_kept(Context pfc, void *data) {
  if (!kept) {
    kept = pfc;
    return NEXT;
  }
  char value[64], text[64];
  DWORD size = sizeof value;
  errno = 0;
  BOOL found = kept == pfc || kept->GetServerVariable(kept, "URL", value, &size);
  sprintf(text, "%d %d", kept == pfc ? -1 : found, errno);
  ((HTTP_FILTER_PREPROC_HEADERS *)data)->SetHeader(pfc, "X-Kept:", text);
  return show(pfc, text);
}
// Counts the requests of a connection in pFilterContext.
UNUSED static DWORD count_requests(Context pfc, void *data UNUSED) {
  char out[32];
  int *count = pfc->pFilterContext;
  if (!count) pfc->pFilterContext = count = calloc(1, sizeof *count);
  sprintf(out, "%d", ++*count);
  return show(pfc, out);
}
// As count_requests, in memory of the server's, which it fills with other blocks in between.
UNUSED static DWORD count_in_server_memory(Context pfc, void *data UNUSED) {
  char out[32];
  int *count = pfc->pFilterContext;
  if (!count) {
    pfc->pFilterContext = count = pfc->AllocMem(pfc, sizeof *count, 0);
    *count = 0;
  }
  for (int i = 0; i < 10; i++) memset(pfc->AllocMem(pfc, 1000, 0), 0xff, 1000);
  sprintf(out, "%d", ++*count);
  return show(pfc, out);
}
// The count is in a block that only another block leads to.
UNUSED static DWORD count_in_nested_memory(Context pfc, void *data UNUSED) {
  char out[32];
  int **outer = pfc->pFilterContext;
  if (!outer) {
    pfc->pFilterContext = outer = pfc->AllocMem(pfc, sizeof *outer, 0);
    *outer = pfc->AllocMem(pfc, sizeof **outer, 0);
  }
  for (int i = 0; i < 10; i++) memset(pfc->AllocMem(pfc, 16, 0), 0xff, 16);
  sprintf(out, "%d", ++**outer);
  return show(pfc, out);
}
// Takes its time, with memory of the server's in hand.
UNUSED static DWORD slowly(Context pfc, void *data UNUSED) {
  char *memory = pfc->AllocMem(pfc, 100000, 0);
  usleep(300000);
  memset(memory, 1, 100000);
  return NEXT;
}
UNUSED static DWORD too_much_memory(Context pfc, void *data UNUSED) {
  char out[64];
  errno = 0;
  void *memory = pfc->AllocMem(pfc, 0xffffffff, 0);
  sprintf(out, "%d %d", memory != 0, errno);
  return show(pfc, out);
}
UNUSED static DWORD disable(Context pfc, void *data UNUSED) {
  pfc->ServerSupportFunction(pfc, SF_REQ_DISABLE_NOTIFICATIONS, 0, SF_NOTIFY_SEND_RESPONSE | SF_NOTIFY_LOG, 0);
  return NEXT;
}

// ---- Requests of ServerSupportFunction.

UNUSED static DWORD support_requests(Context pfc, void *data UNUSED) {
  char out[1024] = "", url[] = "/a/%2e%2e/b%20c?d";
  DWORD id = 0, connection = 0;
  struct {
    const char *name;
    DWORD request;
    void *data;
    ULONG_PTR ul1;
  } all[] = {
      {"instance", SF_REQ_GET_PROPERTY, &id, SF_PROPERTY_INSTANCE_NUM_ID},
      {"ssl", SF_REQ_GET_PROPERTY, &id, SF_PROPERTY_SSL_CTXT},
      {"property", SF_REQ_GET_PROPERTY, &id, 77},
      {"normalize", SF_REQ_NORMALIZE_URL, url, 0},
      {"connid", SF_REQ_GET_CONNID, &connection, 0},
      {"certificate", SF_REQ_SET_CERTIFICATE_INFO, 0, 0},
      {"proxy", SF_REQ_SET_PROXY_INFO, 0, 1},
      {"next read", SF_REQ_SET_NEXT_READ_SIZE, 0, 100},
      {"denial", SF_REQ_ADD_HEADERS_ON_DENIAL, 0, 0},
      {"unknown", 99, 0, 0},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    errno = 0;
    BOOL done = pfc->ServerSupportFunction(pfc, all[i].request, all[i].data, all[i].ul1, 0);
    sprintf(out + strlen(out), "%s %d %d\n", all[i].name, done, done ? 0 : errno);
  }
  sprintf(out + strlen(out), "id %u, url %s\n", id, url);
  return show(pfc, out);
}
// Every callback with null in place of what it needs.
UNUSED static DWORD nulls(Context pfc, void *data) {
  HTTP_FILTER_PREPROC_HEADERS *headers = data;
  DWORD size = 10;
  char value[10];
  pfc->GetServerVariable(pfc, 0, value, &size);
  pfc->GetServerVariable(pfc, "URL", 0, 0);
  pfc->GetServerVariable(0, "URL", value, &size);
  pfc->AddResponseHeaders(pfc, 0, 0);
  pfc->WriteClient(pfc, 0, &size, 0);
  pfc->WriteClient(pfc, value, 0, 0);
  pfc->AllocMem(0, 10, 0);
  pfc->AllocMem(pfc, 0, 0);
  for (DWORD request = 0; request < 20; request++) pfc->ServerSupportFunction(pfc, request, 0, 0, 0);
  headers->GetHeader(pfc, 0, value, &size);
  headers->GetHeader(pfc, "url", 0, 0);
  headers->SetHeader(pfc, 0, 0);
  headers->AddHeader(pfc, 0, 0);
  headers->SetHeader(0, "X:", "y");
  return NEXT;
}

BOOL WINAPI GetFilterVersion(HTTP_FILTER_VERSION *version) {
#ifdef REFUSES
  errno = 1114;
  return FALSE;
#endif
  version->dwFilterVersion = HTTP_FILTER_REVISION;
  strcpy(version->lpszFilterDesc, "a probe");
  version->dwFlags = FLAGS;
  return TRUE;
}

DWORD WINAPI HttpFilterProc(HTTP_FILTER_CONTEXT *pfc, DWORD notification, void *data) {
  return notification == (ON) ? ACT(pfc, data) : NEXT;
}

BOOL WINAPI TerminateFilter(DWORD flags) {
#ifdef TERMINATED
  FILE *file = fopen(TERMINATED, "a");
  if (file) {
    fprintf(file, "terminated %u\n", flags);
    fclose(file);
  }
#endif
  (void)flags;
  return TRUE;
}
