//! The events that filters are notified of, and what they answer.

use isapi_abi::httpfilt as sf;

/// An event, by its `SF_NOTIFY_*` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notification {
    ReadRawData,
    PreprocHeaders,
    UrlMap,
    Authentication,
    AuthComplete,
    AccessDenied,
    SendResponse,
    SendRawData,
    EndOfRequest,
    Log,
    EndOfNetSession,
}

/// All of them, in the order of a request.
const ALL: [Notification; 11] = [
    Notification::ReadRawData,
    Notification::PreprocHeaders,
    Notification::UrlMap,
    Notification::Authentication,
    Notification::AuthComplete,
    Notification::AccessDenied,
    Notification::SendResponse,
    Notification::SendRawData,
    Notification::EndOfRequest,
    Notification::Log,
    Notification::EndOfNetSession,
];

impl Notification {
    /// Its bit in a filter's flags, which is also the number that the filter is called with.
    pub(crate) fn bit(self) -> u32 {
        match self {
            Notification::ReadRawData => sf::SF_NOTIFY_READ_RAW_DATA,
            Notification::PreprocHeaders => sf::SF_NOTIFY_PREPROC_HEADERS,
            Notification::UrlMap => sf::SF_NOTIFY_URL_MAP,
            Notification::Authentication => sf::SF_NOTIFY_AUTHENTICATION,
            Notification::AuthComplete => sf::SF_NOTIFY_AUTH_COMPLETE,
            Notification::AccessDenied => sf::SF_NOTIFY_ACCESS_DENIED,
            Notification::SendResponse => sf::SF_NOTIFY_SEND_RESPONSE,
            Notification::SendRawData => sf::SF_NOTIFY_SEND_RAW_DATA,
            Notification::EndOfRequest => sf::SF_NOTIFY_END_OF_REQUEST,
            Notification::Log => sf::SF_NOTIFY_LOG,
            Notification::EndOfNetSession => sf::SF_NOTIFY_END_OF_NET_SESSION,
        }
    }

    /// Its name, without `SF_NOTIFY_`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Notification::ReadRawData => "READ_RAW_DATA",
            Notification::PreprocHeaders => "PREPROC_HEADERS",
            Notification::UrlMap => "URL_MAP",
            Notification::Authentication => "AUTHENTICATION",
            Notification::AuthComplete => "AUTH_COMPLETE",
            Notification::AccessDenied => "ACCESS_DENIED",
            Notification::SendResponse => "SEND_RESPONSE",
            Notification::SendRawData => "SEND_RAW_DATA",
            Notification::EndOfRequest => "END_OF_REQUEST",
            Notification::Log => "LOG",
            Notification::EndOfNetSession => "END_OF_NET_SESSION",
        }
    }
}

/// The names of the notifications in `flags`, for a message.
pub(super) fn name_all(flags: u32) -> String {
    let names = ALL.into_iter().filter(|notification| flags & notification.bit() != 0).map(Notification::name);
    let names = names.collect::<Vec<_>>().join(", ");
    if names.is_empty() { "nothing".to_owned() } else { names }
}

/// What a filter answered, `SF_STATUS_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// The next filter is to be notified.
    Next,
    /// No other filter hears of this.
    Handled,
    /// The filter has answered the request; the connection ends.
    Finished,
    /// The filter has answered the request.
    FinishedKeepConnection,
    /// It failed, for this reason.
    Error(u32),
    /// It wants to see more of the raw data first.
    ReadNext,
}

impl Status {
    /// The status that a filter returned for `notification`, with the last error that it left; `None` for one that it
    /// may not return.
    pub(super) fn of(notification: Notification, status: u32, error: u32) -> Option<Status> {
        Some(match status {
            sf::SF_STATUS_REQ_FINISHED => Status::Finished,
            sf::SF_STATUS_REQ_FINISHED_KEEP_CONN => Status::FinishedKeepConnection,
            sf::SF_STATUS_REQ_NEXT_NOTIFICATION => Status::Next,
            sf::SF_STATUS_REQ_HANDLED_NOTIFICATION => Status::Handled,
            sf::SF_STATUS_REQ_ERROR => Status::Error(error),
            sf::SF_STATUS_REQ_READ_NEXT if notification == Notification::ReadRawData => Status::ReadNext,
            _ => return None,
        })
    }

    /// Its name, without `SF_STATUS_REQ_`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Next => "NEXT_NOTIFICATION",
            Status::Handled => "HANDLED_NOTIFICATION",
            Status::Finished => "FINISHED",
            Status::FinishedKeepConnection => "FINISHED_KEEP_CONN",
            Status::Error(_) => "ERROR",
            Status::ReadNext => "READ_NEXT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named_in_the_order_of_a_request() {
        let flags = sf::SF_NOTIFY_LOG | sf::SF_NOTIFY_PREPROC_HEADERS | sf::SF_NOTIFY_ORDER_HIGH;
        assert_eq!(name_all(flags), "PREPROC_HEADERS, LOG");
        assert_eq!(name_all(sf::SF_NOTIFY_SECURE_PORT), "nothing");
    }

    #[test]
    fn more_can_be_asked_for_in_raw_reads_only() {
        let status = sf::SF_STATUS_REQ_READ_NEXT;
        assert_eq!(Status::of(Notification::ReadRawData, status, 0), Some(Status::ReadNext));
        assert_eq!(Status::of(Notification::SendRawData, status, 0), None);
        assert_eq!(Status::of(Notification::Log, 0x8000_0002, 0), None, "the classic slip: one digit too many");
    }
}
