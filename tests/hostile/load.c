/* A client that is faster than the server: keep-alive connections over epoll, one thread.
 *
 *   load PORT PATH CONNECTIONS REQUESTS ABORT_EVERY
 *
 * Sends REQUESTS requests over CONNECTIONS connections and counts the answers with status 200. Every ABORT_EVERYth
 * request is aborted instead (0: none): its connection is reset, in turn behind the request, in the middle of its head
 * and in the middle of its answer, and a new one takes its place. Prints one line of JSON at the end; ends with 1 when
 * an answer was wrong or a connection that was not reset here broke.
 *
 * An answer is a head with a Content-Length and that many bytes: the extensions that are loaded here answer so. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 8192, EVENTS = 256 };
enum abort_at { NOWHERE, BEHIND_REQUEST, IN_HEAD, IN_ANSWER };

struct connection {
    int socket;
    enum abort_at abort_at;
    double sent_at;
    size_t received;
    char buffer[BUFFER];
};

static struct sockaddr_in server;
static char request[1024];
static int epoll;
static long started, finished, aborted, wrong, total, abort_every;
static double slowest;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static void open_connection(struct connection *self) {
    int on = 1;
    self->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (self->socket < 0 || connect(self->socket, (struct sockaddr *)&server, sizeof server) < 0)
        fail("connect");
    setsockopt(self->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = self};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, self->socket, &event) < 0)
        fail("epoll_ctl");
}

static void reset_connection(struct connection *self) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(self->socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(self->socket);
    open_connection(self);
}

/* Sends the next request, or what of it is sent before it is aborted. */
static void next_request(struct connection *self) {
    while (started < total) {
        long number = ++started;
        int aborts = abort_every && number % abort_every == 0;
        self->abort_at = aborts ? (enum abort_at)(1 + number / abort_every % 3) : NOWHERE;
        self->received = 0;
        self->sent_at = now();
        size_t length = self->abort_at == IN_HEAD ? strlen(request) / 2 : strlen(request);
        if (send(self->socket, request, length, MSG_NOSIGNAL) != (ssize_t)length) {
            wrong++;
            reset_connection(self);
            continue;
        }
        if (self->abort_at == NOWHERE || self->abort_at == IN_ANSWER)
            return;
        aborted++;
        reset_connection(self);
    }
}

/* The length of the whole answer at the start of the buffer; 0 while that is unknown. */
static size_t answer_length(struct connection *self) {
    self->buffer[self->received] = 0;
    char *end = strstr(self->buffer, "\r\n\r\n");
    char *length = strcasestr(self->buffer, "\r\ncontent-length:");
    if (!end || !length)
        return 0;
    return (size_t)(end + 4 - self->buffer) + strtoul(length + 17, NULL, 10);
}

static void on_readable(struct connection *self) {
    ssize_t got = recv(self->socket, self->buffer + self->received, BUFFER - 1 - self->received, 0);
    if (got <= 0) {
        wrong++;
        reset_connection(self);
    } else if (self->abort_at == IN_ANSWER) {
        aborted++;
        reset_connection(self);
    } else {
        self->received += (size_t)got;
        size_t length = answer_length(self);
        if (length == 0 || self->received < length)
            return;
        double took = now() - self->sent_at;
        slowest = took > slowest ? took : slowest;
        if (self->received == length && strncmp(self->buffer, "HTTP/1.1 200", 12) == 0)
            finished++;
        else
            wrong++;
    }
    next_request(self);
}

int main(int count, char **arguments) {
    if (count != 6)
        return 2;
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", arguments[2]);
    long connections = atol(arguments[3]);
    total = atol(arguments[4]);
    abort_every = atol(arguments[5]);
    epoll = epoll_create1(0);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    if (!all || epoll < 0)
        fail("no memory");
    double begin = now();
    for (long index = 0; index < connections; index++) {
        open_connection(&all[index]);
        next_request(&all[index]);
    }
    while (finished + aborted + wrong < total) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, 30000);
        if (ready == 0) {
            fprintf(stderr, "no answer for 30 s, %ld of %ld are missing\n", total - finished - aborted - wrong, total);
            return 1;
        }
        for (int index = 0; index < ready; index++)
            on_readable(events[index].data.ptr);
    }
    printf("{\"finished\": %ld, \"aborted\": %ld, \"wrong\": %ld, \"seconds\": %.3f, \"slowest\": %.3f}\n", finished,
           aborted, wrong, now() - begin, slowest);
    return wrong ? 1 : 0;
}
