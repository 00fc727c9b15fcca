//! How much freed memory glibc's malloc keeps for the next request. Set once, before there are other threads.
//!
//! By default a thread's heap gives all above 128 KB back to the system, so that of a body of 100 KB each request takes
//! the pages anew: for an echo that is as much work as everything else together. The default also grows, up to 64 MB,
//! but only by large blocks that are freed in the main heap; what is set here is fixed, and less than that.

/// So much freed memory each of malloc's heaps keeps; bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: i32 = 16 << 20;

/// Larger blocks come from the system and go back to it; bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 8 << 20;

/// Keeps more than by default. What the operator has set in the environment stands.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "malloc is the C library's")]
pub fn keep_freed() {
    let settings = [
        ("MALLOC_TRIM_THRESHOLD_", libc::M_TRIM_THRESHOLD, KEPT),
        ("MALLOC_MMAP_THRESHOLD_", libc::M_MMAP_THRESHOLD, LARGE),
    ];
    for (_, parameter, bytes) in settings.into_iter().filter(|(name, ..)| std::env::var_os(name).is_none()) {
        // SAFETY: mallopt takes two numbers; what it refuses changes nothing.
        unsafe { libc::mallopt(parameter, bytes) };
    }
}

/// Other C libraries have no such setting.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use std::hint::black_box;

    use super::keep_freed;

    const ROUNDS: u64 = 200;

    #[test]
    fn a_body_is_built_again_from_pages_that_are_there() {
        keep_freed();
        build_bodies();
        let before = page_faults();
        (0..ROUNDS).for_each(|_| build_bodies());
        let faults = page_faults() - before;
        assert!(faults < ROUNDS, "{faults} page faults in {ROUNDS} rounds");
    }

    /// What an echo of 100 KB in Python does: two parts, and both together.
    fn build_bodies() {
        let parts = [vec![b'a'; 50_000], vec![b'b'; 50_000]];
        black_box(black_box(parts).concat());
    }

    /// Of this thread, those that needed no disk.
    fn page_faults() -> u64 {
        let line = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux has it");
        let (_, fields) = line.rsplit_once(')').expect("a name in parentheses");
        fields.split_whitespace().nth(7).and_then(|count| count.parse().ok()).expect("the tenth field is a number")
    }
}
