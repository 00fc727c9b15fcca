/*
 * Not a server: the least work that can answer the benchmark's hello and echo, to compare the servers with.
 *
 *     cc -O2 -Wall bench/floor.c -o floor
 *     ./floor PORT            answers everything with hello
 *     ./floor PORT echo       answers with the request's body
 *
 * One thread waits with epoll, receives into one buffer a connection, looks for the blank line and two header fields
 * exactly as wrk and xtask write them, and answers with one sendmsg. It checks nothing, has no limits but its buffer's,
 * and knows no errors. What a server takes more than this is its own; what this takes is the kernel's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EVENTS = 64, BACKLOG = 1024, BUFFER = 256 * 1024, HEAD = 4096 };

static char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, world!\n";

/* The answer is pending while `unsent` is not 0; until it is out, nothing more is received. */
struct connection {
    int socket;
    int last;             /* close behind the answer */
    size_t received;
    size_t head;          /* with the blank line; 0 until it has come */
    size_t body;
    struct iovec answer[2];
    size_t unsent;
    char answer_head[128];
    char request[BUFFER];
};

static int listen_at(int port)
{
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in place = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    };
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&place, sizeof place) || listen(listener, BACKLOG)) {
        perror("floor");
        exit(1);
    }
    return listener;
}

static void watch(int epoll, int socket, void *data, unsigned events)
{
    struct epoll_event event = { .events = events, .data.ptr = data };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event)) {
        perror("floor");
        exit(1);
    }
}

static void accept_one(int epoll, int listener)
{
    int yes = 1, socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    struct connection *new = socket < 0 ? NULL : malloc(sizeof *new);
    if (!new)
        return;
    new->socket = socket;
    new->last = 0;
    new->received = new->head = new->unsent = 0;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    watch(epoll, socket, new, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void end(struct connection *it)
{
    close(it->socket);
    free(it);
}

/* Whether the whole request is there. */
static int complete(struct connection *it)
{
    if (!it->head) {
        char *blank = memmem(it->request, it->received < HEAD ? it->received : HEAD, "\r\n\r\n", 4);
        if (!blank)
            return 0;
        it->head = blank + 4 - it->request;
        char *length = memmem(it->request, it->head, "Content-Length: ", 16);
        it->body = length ? strtoul(length + 16, NULL, 10) : 0;
        it->last = memmem(it->request, it->head, "Connection: close", 17) != NULL;
    }
    return it->received >= it->head + it->body;
}

static void prepare(struct connection *it, int echo)
{
    if (echo) {
        int head = snprintf(it->answer_head, sizeof it->answer_head,
                            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", it->body);
        it->answer[0] = (struct iovec){ it->answer_head, head };
        it->answer[1] = (struct iovec){ it->request + it->head, it->body };
    } else {
        it->answer[0] = (struct iovec){ hello, sizeof hello - 1 };
        it->answer[1] = (struct iovec){ NULL, 0 };
    }
    it->unsent = it->answer[0].iov_len + it->answer[1].iov_len;
    it->received = it->head = 0;
}

/* Sends what the socket takes; 0 when the connection has failed. */
static int send_rest(struct connection *it)
{
    while (it->unsent) {
        struct msghdr message = { .msg_iov = it->answer, .msg_iovlen = 2 };
        ssize_t sent = sendmsg(it->socket, &message, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN;
        it->unsent -= sent;
        for (int part = 0; part < 2 && sent; part++) {
            size_t taken = (size_t)sent < it->answer[part].iov_len ? (size_t)sent : it->answer[part].iov_len;
            it->answer[part].iov_base = (char *)it->answer[part].iov_base + taken;
            it->answer[part].iov_len -= taken;
            sent -= taken;
        }
    }
    return 1;
}

/* What can be done now; 0 when the connection is at its end. A receive that does not fill the room was the last. */
static int serve(struct connection *it, int echo)
{
    for (int drained = 0;;) {
        if (!send_rest(it) || (it->last && !it->unsent && !it->received))
            return 0;
        if (it->unsent || drained)
            return 1;
        size_t room = BUFFER - it->received;
        ssize_t got = recv(it->socket, it->request + it->received, room, 0);
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        it->received += got;
        drained = (size_t)got < room;
        if (complete(it))
            prepare(it, echo);
    }
}

int main(int count, char **words)
{
    if (count < 2)
        return 2;
    int epoll = epoll_create1(0), listener = listen_at(atoi(words[1])), echo = count > 2;
    watch(epoll, listener, NULL, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *it = events[i].data.ptr;
            if (!it)
                accept_one(epoll, listener);
            else if (!serve(it, echo))
                end(it);
        }
    }
}
