//! What the templates of processes may name: ports, the cell's folder.

use std::collections::BTreeMap;
use std::path::Path;

use steep_core::template::{Template, UnknownName};

/// The values of names for one process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// `{{port}}` and `{{dir}}` of one process, and `{{<name>.port}}` of each dependency.
    #[must_use]
    pub fn new(port: u16, cell_folder: &Path, dependencies: &BTreeMap<String, u16>) -> Self {
        let mut names: BTreeMap<String, String> =
            dependencies.iter().map(|(name, port)| (format!("{name}.port"), port.to_string())).collect();
        names.insert("port".to_owned(), port.to_string());
        names.insert("dir".to_owned(), cell_folder.display().to_string());
        Self(names)
    }

    /// The same, and the address of the service as `{{url}}`.
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        self.0.insert("url".to_owned(), url.to_owned());
        self
    }

    /// `template` with all names filled in.
    ///
    /// # Errors
    /// The first name that nothing defines.
    pub fn fill(&self, template: &Template) -> Result<String, UnknownName> {
        template.render(|name| self.0.get(name).map(String::as_str))
    }

    /// What may be named, for messages: `{{dir}}, {{port}}`.
    #[must_use]
    pub fn known(&self) -> String {
        self.0.keys().map(|name| format!("{{{{{name}}}}}")).collect::<Vec<_>>().join(", ")
    }
}

/// Whether last lines say that a port was taken, in the words of the C library, of Go and Java, of Node, of nginx, of
/// frameworks.
#[must_use]
pub fn say_port_taken(lines: &[String]) -> bool {
    lines.iter().any(|line| says_port_taken(line))
}

/// Whether that is the last trouble that they tell of: a service may do without an address and crash later.
#[must_use]
pub fn end_with_port_taken(lines: &[String]) -> bool {
    let is_trouble = |line: &String| {
        let line = line.to_ascii_lowercase();
        ["panic", "exception", "fatal", "error", "assert", "abort"].iter().any(|word| line.contains(word))
    };
    let taken = lines.iter().rposition(|line| says_port_taken(line));
    taken.is_some_and(|taken| lines.iter().rposition(is_trouble).is_none_or(|trouble| trouble <= taken + 1))
}

fn says_port_taken(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let says = |words: &str| line.contains(words);
    ["address already in use", "address in use", "eaddrinuse", "addrinuse"].iter().any(|words| says(words))
        || (says("port") && (says("already in use") || says("is in use")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ports_and_folder_are_filled_in() {
        let names = Names::new(4000, Path::new("/results/cell"), &BTreeMap::from([("db".to_owned(), 5000)]));
        let template = Template::parse("{{dir}}/x?db=127.0.0.1:{{db.port}}&own={{port}}").expect("a template");
        assert_eq!(names.fill(&template).as_deref(), Ok("/results/cell/x?db=127.0.0.1:5000&own=4000"));
        assert_eq!(names.known(), "{{db.port}}, {{dir}}, {{port}}");
        let unknown = Template::parse("{{redis.port}}").expect("a template");
        assert_eq!(names.fill(&unknown), Err(UnknownName("redis.port".to_owned())));
    }

    #[test]
    fn a_taken_port_is_seen_in_the_words_of_many_programs() {
        for line in [
            "thread 'main' panicked: Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }",
            "nginx: [emerg] bind() to 127.0.0.1:80 failed (98: Address already in use)",
            "Error: listen EADDRINUSE: address already in use :::80",
            "Web server failed to start. Port 8080 was already in use.",
            "Port 5000 is in use by another program.",
        ] {
            assert!(say_port_taken(&[line.to_owned()]), "{line}");
        }
        assert!(!say_port_taken(&["listening on 127.0.0.1:80".to_owned()]));
    }

    #[test]
    fn a_port_that_was_taken_is_why_it_ended_if_nothing_worse_came_after() {
        let end = |lines: &[&str]| end_with_port_taken(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>());
        assert!(end(&[
            "Error: listen EADDRINUSE: address already in use :::80",
            "    at Server.listen",
            "  errno: -98"
        ]));
        assert!(end(&[
            "thread 'main' panicked at x.rs:",
            "Os { code: 98, kind: AddrInUse }",
            "note: run with `RUST_BACKTRACE=1`"
        ]));
        assert!(end(&[
            "java.net.BindException: Address already in use",
            "\tat java.base/sun.nio.ch.Net.bind(Net.java)"
        ]));
        assert!(!end(&["warn: port 9090 is in use, no metrics", "listening", "thread 'main' panicked at shelf 7"]));
        assert!(!end(&["listening", "error: no shelf 7"]));
    }
}
