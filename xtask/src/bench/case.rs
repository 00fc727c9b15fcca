//! What is asked of the servers, and which of them are asked.

use super::product::Product::{
    self, Alone, BesideMixed, BesideSleepers, Floor, Granian, Gunicorn, Native, NativeFilter, Nginx, NginxCopying,
    Pool, PythonFilter, Simple, StaticFile, TransmitFile, Waitress,
};

/// Every answer is as much of this line, over and over, as its size says (`bench/answer.py`, `bench/load.lua`).
const LINE: &[u8] = b"Hello, world!\n";

/// One question put to several servers.
#[derive(Debug, PartialEq, Eq)]
pub struct Case {
    /// What `--only` takes, and the name of the chart's file.
    pub name: &'static str,
    pub title: &'static str,
    pub kind: Kind,
    /// Length of the answer's body.
    pub bytes: usize,
    pub connections: u32,
    pub products: &'static [Product],
}

/// Where the answer's body comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From memory, or from a small file where a server has no other way.
    Fixed,
    /// From the request.
    Echo,
    /// From a large file.
    File,
    /// From memory, while others ask the same server for what takes long (`background.rs`).
    Beside,
}

/// In the order of the report.
pub const CASES: [Case; 7] = [
    Case {
        name: "hello",
        title: "Hello, 14 bytes",
        kind: Kind::Fixed,
        bytes: 14,
        connections: 64,
        products: &[Native, Simple, Pool, Granian, Gunicorn, Waitress, Nginx, Floor],
    },
    Case {
        name: "10kb",
        title: "Response of 10 KB",
        kind: Kind::Fixed,
        bytes: 10_000,
        connections: 64,
        products: &[Simple, Pool, Granian, Gunicorn, Waitress, Nginx],
    },
    Case {
        name: "1mb",
        title: "Response of 1 MB",
        kind: Kind::Fixed,
        bytes: 1_000_000,
        connections: 16,
        products: &[Simple, Pool, Granian, Gunicorn, Waitress, Nginx],
    },
    Case {
        name: "echo",
        title: "Echo of 100 KB",
        kind: Kind::Echo,
        bytes: 100_000,
        connections: 16,
        products: &[Simple, Pool, Granian, Gunicorn, Waitress, Floor],
    },
    Case {
        name: "file",
        title: "File of 100 MB",
        kind: Kind::File,
        bytes: 100_000_000,
        connections: 4,
        products: &[TransmitFile, StaticFile, Nginx, NginxCopying],
    },
    Case {
        name: "filters",
        title: "Hello past a filter",
        kind: Kind::Fixed,
        bytes: 14,
        connections: 64,
        products: &[Simple, NativeFilter, PythonFilter],
    },
    Case {
        name: "sleeper",
        title: "Hello beside handlers that sleep",
        kind: Kind::Beside,
        bytes: 14,
        connections: 16,
        products: &[Alone, BesideSleepers, BesideMixed],
    },
];

impl Case {
    /// All cases, or the one of that name.
    pub fn chosen(only: Option<&str>) -> Result<Vec<&'static Self>, String> {
        let chosen: Vec<_> = CASES.iter().filter(|case| only.is_none_or(|name| case.name == name)).collect();
        if chosen.is_empty() {
            let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
            return Err(format!("no such case; there are {}", names.join(", ")));
        }
        Ok(chosen)
    }

    /// The body that every answer must have.
    pub fn body(&self) -> Vec<u8> {
        LINE.iter().copied().cycle().take(self.bytes).collect()
    }

    /// The method, and the bytes that go with it.
    pub fn request(&self) -> (&'static str, usize) {
        if self.kind == Kind::Echo { ("POST", self.bytes) } else { ("GET", 0) }
    }

    /// How long a connection waits on average between an answer and its next request, in milliseconds.
    ///
    /// Without it 16 connections keep the server's core busy and wait for each other: a delay would be lost in that.
    pub fn pause(&self) -> u32 {
        if self.kind == Kind::Beside { 5 } else { 0 }
    }

    /// The unit of the case's rates.
    pub fn unit(&self) -> &'static str {
        if self.kind == Kind::File { "MB/s" } else { "requests/s" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_case_can_be_chosen_by_name() {
        let names = |only| Case::chosen(only).map(|cases| cases.iter().map(|case| case.name).collect::<Vec<_>>());
        assert_eq!(names(Some("echo")), Ok(vec!["echo"]));
        assert_eq!(names(None).map(|all| all.len()), Ok(CASES.len()));
        let all = "hello, 10kb, 1mb, echo, file, filters, sleeper";
        assert_eq!(names(Some("ech")), Err(format!("no such case; there are {all}")));
    }

    #[test]
    fn a_body_is_the_line_repeated_and_cut() {
        let case = Case { bytes: 16, ..CASES[0] };
        assert_eq!(case.body(), b"Hello, world!\nHe");
    }
}
