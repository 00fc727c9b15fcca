//! What a process and all below it use, as the kernel counts it in /proc.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use crate::process::Error;

/// Of a whole process tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// User and system time since the start, also of children that have ended.
    pub cpu_seconds: f64,
    /// Resident pages; those that several of the processes share count in each.
    pub resident_bytes: u64,
}

/// One line of /proc/PID/stat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    id: u32,
    parent: u32,
    ended: bool,
    /// Own time and that of the ended children, so nothing is counted twice and nothing is lost.
    ticks: u64,
}

/// What the process and all below it use.
pub fn usage(root: u32) -> Result<Usage, Error> {
    let members = below(root, &all()?);
    let resident = members.iter().filter_map(|member| resident_kilobytes(member.id)).sum::<u64>();
    let ticks = members.iter().map(|member| member.ticks).sum::<u64>();
    Ok(Usage { cpu_seconds: ticks as f64 / ticks_per_second()?, resident_bytes: resident * 1024 })
}

/// CPU seconds of all processes but this one and those below it.
///
/// Not taken from the times of the cores: whether these have the soft interrupts of our own packets in them is
/// a choice made when the kernel is built.
pub fn cpu_seconds_of_others() -> Result<f64, Error> {
    let all = all()?;
    let ours = below(std::process::id(), &all);
    let ticks = all.iter().filter(|stat| !ours.contains(stat)).map(|stat| stat.ticks).sum::<u64>();
    Ok(ticks as f64 / ticks_per_second()?)
}

/// The ids of the process and all below it.
pub fn family(root: u32) -> Result<Vec<u32>, Error> {
    Ok(below(root, &all()?).iter().map(|member| member.id).collect())
}

/// Whether the process is there and has not ended.
pub fn lives(id: u32) -> bool {
    read(id).is_some_and(|stat| !stat.ended)
}

fn all() -> Result<Vec<Stat>, Error> {
    let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.filter_map(read).collect())
}

/// Nothing if the process has gone meanwhile.
fn read(id: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// `1 (name) S parent ...`; the name may hold anything, so counting starts behind its last parenthesis.
fn parse(line: &str) -> Option<Stat> {
    let (name, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let times: Option<Vec<u64>> = fields.get(11..15)?.iter().map(|time| time.parse().ok()).collect();
    Some(Stat {
        id: name.split_once(' ')?.0.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X"),
        ticks: times?.iter().sum(),
    })
}

fn below(root: u32, all: &[Stat]) -> Vec<Stat> {
    let mut members: Vec<Stat> = all.iter().filter(|stat| stat.id == root).copied().collect();
    let mut next = 0;
    while let Some(parent) = members.get(next).copied() {
        members.extend(all.iter().filter(|stat| stat.parent == parent.id));
        next += 1;
    }
    members
}

fn resident_kilobytes(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// The unit of the times in /proc.
fn ticks_per_second() -> Result<f64, Error> {
    static TICKS: OnceLock<f64> = OnceLock::new();
    if let Some(ticks) = TICKS.get() {
        return Ok(*ticks);
    }
    let output = Command::new("getconf").arg("CLK_TCK").output()?;
    let ticks = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(*TICKS.get_or_init(|| ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_process_is_called() {
        let line = "7 (a) S (b) S 3 7 7 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 1 0 5 6 7";
        assert_eq!(parse(line), Some(Stat { id: 7, parent: 3, ended: false, ticks: 110 }));
        assert_eq!(parse("7 (a) Z 3"), None);
    }

    #[test]
    fn a_tree_is_the_root_and_all_below_it() {
        let stat = |id, parent| Stat { id, parent, ended: false, ticks: 0 };
        let all = [stat(5, 4), stat(1, 0), stat(4, 2), stat(2, 1), stat(3, 1)];
        assert_eq!(below(2, &all), [stat(2, 1), stat(4, 2), stat(5, 4)]);
    }

    #[test]
    fn our_own_time_and_memory_are_counted() {
        let before = usage(std::process::id()).expect("we live").cpu_seconds;
        let wanted = before + 0.05;
        let mut now = usage(std::process::id()).expect("we live");
        while now.cpu_seconds < wanted {
            now = usage(std::process::id()).expect("we live");
        }
        assert!(now.resident_bytes > 1 << 20, "{now:?}");
        assert!(lives(std::process::id()));
    }
}
