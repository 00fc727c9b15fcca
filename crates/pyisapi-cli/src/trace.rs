//! `--trace`: what filters saw of each request, for people or as one JSON object a line, on standard output.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use isapi_host::{Step, Trace, TraceSink};
use serde_json::{Value, json};

/// How traces look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// A block of aligned lines for each request.
    Text,
    /// One JSON object per line.
    Json,
}

/// Writes each trace in one piece, so that those of several connections do not mix.
pub struct Tracer(pub TraceFormat);

impl TraceSink for Tracer {
    fn request_ended(&self, trace: Trace) {
        write(&match self.0 {
            TraceFormat::Text => text(&trace),
            TraceFormat::Json => format!("{}\n", record(&trace)),
        });
    }

    fn connection_ended(&self, client: SocketAddr, steps: Vec<Step>) {
        if steps.is_empty() {
            return;
        }
        write(&match self.0 {
            TraceFormat::Text => format!("{client} has ended its connection\n{}", table(&steps)),
            TraceFormat::Json => {
                let ended =
                    json!({"event": "connection_ended", "client": client.to_string(), "steps": steps_of(&steps)});
                format!("{ended}\n")
            }
        });
    }
}

fn write(text: &str) {
    // Whoever has closed standard output does not want traces any more.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// A headline, and a line for each step.
fn text(trace: &Trace) -> String {
    let Trace { client, method, url, status, taken, steps } = trace;
    let (url, method) = (url.escape_debug(), method.escape_debug());
    format!("{method} {url}  ->  {status}  in {}  from {client}\n{}", time(*taken), table(steps))
}

fn table(steps: &[Step]) -> String {
    if steps.is_empty() {
        return "    no filter was notified\n".to_owned();
    }
    let names = steps.iter().map(|step| step.filter.chars().count()).max().unwrap_or_default();
    let line = |step: &Step| {
        let error = step.error.map_or_else(String::new, |error| format!(" {error}"));
        let answer = format!("{}{error}", step.status);
        format!("    {:<18} {:<names$}  {answer:<21} {:>9}\n", step.notification, step.filter, time(step.taken))
    };
    steps.iter().map(line).collect()
}

fn time(taken: Duration) -> String {
    let microseconds = taken.as_secs_f64() * 1e6;
    if microseconds < 1000.0 { format!("{microseconds:.1} µs") } else { format!("{:.2} ms", microseconds / 1000.0) }
}

fn record(trace: &Trace) -> Value {
    json!({
        "event": "request",
        "client": trace.client.to_string(),
        "method": trace.method,
        "url": trace.url,
        "status": trace.status,
        "microseconds": microseconds(trace.taken),
        "steps": steps_of(&trace.steps),
    })
}

fn steps_of(steps: &[Step]) -> Vec<Value> {
    let step = |step: &Step| {
        json!({
            "notification": step.notification,
            "filter": step.filter,
            "status": step.status,
            "error": step.error,
            "microseconds": microseconds(step.taken),
        })
    };
    steps.iter().map(step).collect()
}

/// With three digits behind the point.
fn microseconds(taken: Duration) -> f64 {
    (taken.as_secs_f64() * 1e9).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        let step = |filter: &str, notification, status, error, nanoseconds| Step {
            filter: filter.to_owned(),
            notification,
            status,
            error,
            taken: Duration::from_nanos(nanoseconds),
        };
        Trace {
            client: "127.0.0.1:5000".parse().expect("an address"),
            method: "GET".to_owned(),
            url: "/a?b".to_owned(),
            status: 403,
            taken: Duration::from_micros(1500),
            steps: vec![
                step("log", "PREPROC_HEADERS", "NEXT_NOTIFICATION", None, 1234),
                step("redirector", "PREPROC_HEADERS", "ERROR", Some(5), 2_000_000),
            ],
        }
    }

    #[test]
    fn lines_are_aligned() {
        assert_eq!(
            text(&trace()),
            "GET /a?b  ->  403  in 1.50 ms  from 127.0.0.1:5000
    PREPROC_HEADERS    log         NEXT_NOTIFICATION        1.2 µs
    PREPROC_HEADERS    redirector  ERROR 5                 2.00 ms
"
        );
    }

    #[test]
    fn a_record_says_the_same() {
        let record = record(&trace());
        assert_eq!(record["url"], "/a?b");
        assert_eq!(record["steps"][0]["microseconds"], 1.234);
        assert_eq!(record["steps"][1]["error"], 5);
    }
}
