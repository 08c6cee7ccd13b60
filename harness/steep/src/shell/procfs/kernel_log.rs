//! What the kernel's log (`/dev/kmsg`) tells of processes that ended: kills for lack of memory, and faults. Pure.

/// What befell a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// Killed for lack of memory, by the host's limit or a cgroup's.
    OutOfMemory,
    /// A fault that it had no handler for.
    Fault,
}

/// What one record of the log says, with number and name of the process: `6,1234,5678,-;Memory cgroup out of memory:
/// Killed process 77 (worker) total-vm:…`, `6,…;worker[77]: segfault at 0 ip …`, `6,…;traps: worker[77] general
/// protection fault ip:…`.
#[must_use]
pub fn blow(record: &str) -> Option<(Blow, u32, &str)> {
    let message = record.split_once(';')?.1;
    // Lines that continue a record begin with a blank.
    let message = message.lines().next()?;
    if let Some((_, victim)) = message.split_once("Killed process ") {
        let (pid, rest) = victim.split_once(' ')?;
        let name = rest.strip_prefix('(')?;
        // The name may hold parentheses itself, and what follows it does not: a blank and sizes, or a comma and the
        // user.
        let end = name.find(") ").or_else(|| name.find("), ")).or_else(|| name.rfind(')'))?;
        let name = &name[..end];
        return Some((Blow::OutOfMemory, pid.parse().ok()?, name));
    }
    let (victim, says_fault) = match message.strip_prefix("traps: ") {
        Some(victim) => (victim, true),
        None => (message, message.contains("]: segfault at ")),
    };
    let (name, rest) = victim.split_once('[').filter(|_| says_fault)?;
    Some((Blow::Fault, rest.split_once(']')?.0.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_and_faults_are_reported_with_number_and_name() {
        let of_cgroup = "6,903,81234,-;Memory cgroup out of memory: Killed process 77 (web worker) total-vm:9kB, anon-rss:1kB\n a=b";
        assert_eq!(blow(of_cgroup), Some((Blow::OutOfMemory, 77, "web worker")));
        let of_host = "3,903,81234,-;Out of memory: Killed process 78 (a (b)) total-vm:9kB";
        assert_eq!(blow(of_host), Some((Blow::OutOfMemory, 78, "a (b)")));
        let old = "3,903,81234,-;Killed process 79 (php), UID 33, total-vm:9kB";
        assert_eq!(blow(old), Some((Blow::OutOfMemory, 79, "php")));
        let fault = "6,1,2,-;worker[80]: segfault at 0 ip 0000 sp 0000 error 4 in worker[400000+1000]";
        assert_eq!(blow(fault), Some((Blow::Fault, 80, "worker")));
        let trap = "6,1,2,-;traps: worker[81] trap invalid opcode ip:55d sp:7ff error:0 in worker[400000+1000]";
        assert_eq!(blow(trap), Some((Blow::Fault, 81, "worker")));
    }

    #[test]
    fn other_lines_tell_nothing() {
        for record in
            ["", "6,1,2,-;systemd[1]: Started", "6,1,2,-;Killed process", "Killed process 7 (a) ", "6,1;traps: a b"]
        {
            assert_eq!(blow(record), None, "{record}");
        }
    }
}
