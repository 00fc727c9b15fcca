//! What one filter has been notified of on a connection, and whether that is what it was promised: nothing that it did
//! not ask for, a request's notifications in their order and each of its ends once, and nothing behind the end of all.

use isapi_abi::httpfilt as sf;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// How far the present request is, of [`stage`].
    stage: u8,
    /// How many requests there must have been, at least.
    requests: usize,
    /// All notifications, for whoever looks for the reason of a failure.
    told: Vec<u32>,
    session_ended: bool,
    /// The filter did not want to hear of the connection's end.
    ignores_end: bool,
}

/// How far a request is at a notification; `None` for those that belong to the connection.
fn stage(notification: u32) -> Option<u8> {
    Some(match notification {
        sf::SF_NOTIFY_PREPROC_HEADERS => 1,
        sf::SF_NOTIFY_URL_MAP | sf::SF_NOTIFY_AUTHENTICATION | sf::SF_NOTIFY_AUTH_COMPLETE => 2,
        sf::SF_NOTIFY_ACCESS_DENIED => 3,
        sf::SF_NOTIFY_SEND_RESPONSE => 4,
        sf::SF_NOTIFY_END_OF_REQUEST => 5,
        sf::SF_NOTIFY_LOG => 6,
        _ => return None,
    })
}

/// A request comes to these stages once, to the others any number of times.
const ONCE: [u8; 4] = [1, 4, 5, 6];

impl Record {
    /// A notification comes.
    pub(super) fn note(&mut self, notification: u32, flags: u32) {
        self.told.push(notification);
        assert!(flags & notification != 0, "a notification ({notification:#x}) that was not asked for");
        assert!(!self.session_ended, "a notification ({notification:#x}) behind the end of the connection");
        self.session_ended = notification == sf::SF_NOTIFY_END_OF_NET_SESSION;
        if let Some(stage) = stage(notification) {
            if self.requests == 0 || stage < self.stage || (stage == self.stage && ONCE.contains(&stage)) {
                self.requests += 1;
            }
            self.stage = stage;
        }
    }

    /// The filter does not want to hear of these for a while.
    pub(super) fn disables(&mut self, notifications: u32) {
        self.ignores_end |= notifications & sf::SF_NOTIFY_END_OF_NET_SESSION != 0;
    }

    /// The connection has ended, after so many requests.
    pub(super) fn check_at_end(&self, flags: u32, requests: usize) {
        let wanted = flags & sf::SF_NOTIFY_END_OF_NET_SESSION != 0 && hears_of_plain_connections(flags);
        assert!(self.session_ended || !wanted || self.ignores_end, "the connection's end was not told");
        assert!(self.requests <= requests, "of {requests} requests, {} were told: {self:x?}", self.requests);
    }
}

/// Whether such a filter is for connections without TLS.
pub(super) fn hears_of_plain_connections(flags: u32) -> bool {
    let ports = flags & (sf::SF_NOTIFY_SECURE_PORT | sf::SF_NOTIFY_NONSECURE_PORT);
    ports != sf::SF_NOTIFY_SECURE_PORT
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u32 = u32::MAX;

    fn record(notifications: &[u32]) -> Record {
        let mut record = Record::default();
        notifications.iter().for_each(|notification| record.note(*notification, ALL));
        record
    }

    #[test]
    fn a_request_goes_forward_and_the_next_begins_again() {
        let (head, map, out) = (sf::SF_NOTIFY_PREPROC_HEADERS, sf::SF_NOTIFY_URL_MAP, sf::SF_NOTIFY_SEND_RESPONSE);
        let (end, log) = (sf::SF_NOTIFY_END_OF_REQUEST, sf::SF_NOTIFY_LOG);
        let told = record(&[head, map, map, out, end, log, head, map, out, log, sf::SF_NOTIFY_END_OF_NET_SESSION]);
        assert_eq!(told.requests, 2);
        told.check_at_end(ALL, 2);
    }

    #[test]
    #[should_panic(expected = "of 1 requests, 2 were told")]
    fn a_second_end_of_one_request_is_found() {
        let told = record(&[sf::SF_NOTIFY_END_OF_REQUEST, sf::SF_NOTIFY_LOG, sf::SF_NOTIFY_END_OF_REQUEST]);
        told.check_at_end(sf::SF_NOTIFY_LOG, 1);
    }

    #[test]
    #[should_panic(expected = "of 1 requests, 2 were told")]
    fn a_response_behind_the_end_is_found() {
        record(&[sf::SF_NOTIFY_LOG, sf::SF_NOTIFY_SEND_RESPONSE]).check_at_end(sf::SF_NOTIFY_LOG, 1);
    }

    #[test]
    #[should_panic(expected = "behind the end of the connection")]
    fn a_notification_behind_the_last_is_found() {
        record(&[sf::SF_NOTIFY_END_OF_NET_SESSION, sf::SF_NOTIFY_LOG]);
    }

    #[test]
    #[should_panic(expected = "end was not told")]
    fn an_end_that_nobody_told_is_found() {
        record(&[]).check_at_end(sf::SF_NOTIFY_END_OF_NET_SESSION, 0);
    }
}
