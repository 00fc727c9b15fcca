//! Authentication: who is let in, and what filters have to say about that.

use crate::filter_harness::{Filtered, HEADS, acting, acting_as, acting_with, watcher};
use crate::harness::Reply;

/// `mary:secret` and `mary:wrong` and `eve:secret`.
const MARY: &str = "Authorization: Basic bWFyeTpzZWNyZXQ=\r\n";
const WRONG: &str = "Authorization: Basic bWFyeTp3cm9uZw==\r\n";
const EVE: &str = "Authorization: Basic ZXZlOnNlY3JldA==\r\n";

fn get(filtered: &Filtered, path: &str, headers: &str) -> Reply {
    let mut client = filtered.server.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n").as_bytes());
    client.reply()
}

#[test]
fn only_who_logs_on_is_let_in() {
    let filtered = Filtered::with_users(&[], false);
    for (headers, status) in [("", 401), (MARY, 200), (WRONG, 401), (EVE, 401), (MARY, 200)] {
        let reply = get(&filtered, "/hello.txt", headers);
        assert_eq!(reply.status(), status, "{headers}");
        let challenge = (status == 401).then_some("Basic realm=\"test\", charset=\"UTF-8\"");
        assert_eq!(reply.header("www-authenticate"), challenge, "{headers}");
    }
}

#[test]
fn with_anonymous_only_wrong_credentials_are_refused() {
    let filtered = Filtered::with_users(&[], true);
    for (headers, status) in [("", 200), (MARY, 200), (WRONG, 401)] {
        assert_eq!(get(&filtered, "/hello.txt", headers).status(), status, "{headers}");
    }
}

#[test]
fn without_basic_credentials_count_for_nothing() {
    let filtered = Filtered::by(&[&watcher(HEADS)]);
    assert_eq!(get(&filtered, "/hello.txt", WRONG).status(), 200);
}

#[test]
fn variables_tell_who_the_client_is() {
    let names = "AUTH_TYPE AUTH_USER REMOTE_USER LOGON_USER AUTH_PASSWORD";
    let filtered = Filtered::with_users(&[&acting_with("AUTH_COMPLETE", "show_variables", names)], true);
    assert_eq!(
        get(&filtered, "/", MARY).text(),
        "AUTH_TYPE=Basic(6)\nAUTH_USER=mary(5)\nREMOTE_USER=mary(5)\nLOGON_USER=mary(5)\nAUTH_PASSWORD=secret(7)\n"
    );
    assert_eq!(
        get(&filtered, "/", "").text(),
        "AUTH_TYPE=(1)\nAUTH_USER=(1)\nREMOTE_USER=(1)\nLOGON_USER=(1)\nAUTH_PASSWORD=(1)\n"
    );
}

#[test]
fn a_filter_sees_what_the_client_sent() {
    let filtered = Filtered::by(&[&acting("AUTHENTICATION", "show_credentials")]);
    assert_eq!(get(&filtered, "/", MARY).text(), "mary|secret|257|257");
    assert_eq!(get(&filtered, "/", "").text(), "||257|257");
}

#[test]
fn a_filter_can_log_a_client_on_and_only_with_the_right_password() {
    for (who, status) in [("mary|secret", 200), ("mary|wrong", 401), ("|", 401)] {
        let filtered = Filtered::with_users(&[&acting_with("AUTHENTICATION", "log_on", who)], false);
        assert_eq!(get(&filtered, "/hello.txt", "").status(), status, "{who}");
    }
    // A name that nobody vouches for is none, also where Basic is not enabled.
    let filtered = Filtered::by(&[&acting_with("AUTHENTICATION", "log_on", "mary|secret")]);
    assert_eq!(get(&filtered, "/hello.txt", "").status(), 401);
}

#[test]
fn a_filter_can_make_a_client_anonymous() {
    let filtered = Filtered::with_users(&[&acting_with("AUTHENTICATION", "log_on", "|")], true);
    assert_eq!(get(&filtered, "/hello.txt", WRONG).status(), 200);
}

#[test]
fn the_reason_of_a_denial_is_told() {
    // SF_DENIED_LOGON | SF_DENIED_BY_CONFIG, SF_DENIED_LOGON, SF_DENIED_FILTER, SF_DENIED_APPLICATION
    let filtered = Filtered::with_users(&[&acting("ACCESS_DENIED", "show_denial")], false);
    assert_eq!(get(&filtered, "/hello.txt", "").text(), "/hello.txt 10001");
    assert_eq!(get(&filtered, "/hello.txt", WRONG).text(), "/hello.txt 1");
    let denies = acting("AUTH_COMPLETE", "answer_denied");
    let filtered = Filtered::by(&[&denies, &acting("ACCESS_DENIED", "show_denial")]);
    assert_eq!(get(&filtered, "/hello.txt", "").text(), "/hello.txt 4");
}

#[test]
fn a_filter_that_denies_access_gives_a_401_with_the_headers_that_filters_add() {
    let filtered = Filtered::by(&[
        &acting("PREPROC_HEADERS", "denial_headers"),
        &acting("AUTHENTICATION", "answer_denied"),
        &watcher("SF_NOTIFY_ACCESS_DENIED"),
    ]);
    let reply = get(&filtered, "/hello.txt", "");
    assert_eq!((reply.status(), reply.header("www-authenticate")), (401, Some("Probe")));
    assert_eq!(
        get(&Filtered::by(&[&acting("PREPROC_HEADERS", "denial_headers")]), "/x", "").header("www-authenticate"),
        None
    );
}

#[test]
fn a_filters_page_for_a_denial_takes_the_place_of_the_401() {
    let filtered = Filtered::with_users(&[&acting("ACCESS_DENIED", "send_page")], false);
    let reply = get(&filtered, "/hello.txt", "");
    assert_eq!((reply.status(), reply.text().as_str()), (403, "not for you"));
}

#[test]
fn a_url_that_is_changed_when_the_client_is_known_is_mapped_anew() {
    let redirects = acting_as(HEADS, "AUTH_COMPLETE", "redirect_inside", "/hello.txt");
    let filtered = Filtered::by(&[&redirects]);
    assert_eq!(get(&filtered, "/nowhere", "").text(), "hello, file\n");
    let seen = filtered.seen.first(1);
    for (notification, count) in [("PREPROC_HEADERS", 1), ("URL_MAP", 2), ("AUTHENTICATION", 2), ("AUTH_COMPLETE", 2)] {
        assert_eq!(seen[0].matches(&format!(" {notification} ")).count(), count, "{notification}: {}", seen[0]);
    }
}

#[test]
fn there_are_no_tokens_here() {
    assert_eq!(get(&Filtered::by(&[&acting("AUTH_COMPLETE", "show_token")]), "/", "").text(), "0 50");
}
