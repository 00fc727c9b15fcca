//! ServerSupportFunction by number, with nothing but nulls: what is known answers as the contract says, what is not is
//! refused, and nothing harms the server.

use crate::harness::Running;

/// Every number up to 1100 that is not refused with 87, the error, and 0 for success.
const ANSWERS: &[(u32, u32)] = &[
    // Null is no status, no callback, no reason, and no flag.
    (1005, 0),
    (1032, 0),
    (1043, 0),
    // Nothing is pending.
    (1049, 1168),
    // Windows' security, TLS, the cache and the modules of IIS.
    (1002, 50),
    (1007, 50),
    (1011, 50),
    (1015, 50),
    (1038, 50),
    (1040, 50),
    (1041, 50),
    (1044, 50),
    (1045, 50),
    (1046, 50),
    (1047, 50),
    (1048, 50),
    (1050, 50),
];

fn expected() -> String {
    let mut answers = ANSWERS.to_vec();
    answers.sort_unstable();
    answers.into_iter().map(|(number, error)| format!("{number}:{error} ")).collect()
}

#[test]
fn every_number_answers_nulls_as_the_contract_says() {
    let server = Running::of("numbers");
    let mut client = server.connect();
    assert_eq!(client.get("all").text(), expected());
    assert_eq!(client.get("all_on_a_thread").text(), expected());
}

#[test]
fn numbers_that_end_something_succeed_with_nulls() {
    let server = Running::of("numbers");
    for (count, number) in [3, 4, 1014, 1017].into_iter().enumerate() {
        let mut client = server.connect();
        client.send(format!("GET /?one HTTP/1.1\r\nHost: x\r\nX-Number: {number}\r\n\r\n").as_bytes());
        if number == 1017 {
            assert!(client.is_closed());
        } else {
            assert_eq!(client.reply().status(), 200, "{number}");
        }
        let notes = server.connect().get_with("notes", &format!("X-Count: {}\r\n", count + 1)).text();
        assert_eq!(notes, vec!["0"; count + 1].join(","), "{number}");
    }
}

#[test]
fn no_number_succeeds_for_a_request_that_is_over() {
    let server = Running::of("numbers");
    let mut client = server.connect();
    assert_eq!(client.get("stale").text(), "remembered");
    assert_eq!(client.get("stale").text(), "0");
}
