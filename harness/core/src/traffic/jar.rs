//! The cookies of one user of one host. Pure.

use cookie::Cookie;

/// The most cookies that are kept; beyond, the oldest goes. What every browser keeps at least for a host (RFC 6265,
/// section 6.1).
const MAX_COOKIES: usize = 50;

/// The most that a user's cookies have together; beyond, the oldest go. What servers take in the headers of a request
/// at all (nginx, Apache and hyper's peers: 8 KiB), so that the cookies of all sessions under way have 512 MiB at the
/// very most.
const MAX_JAR_BYTES: usize = 8 << 10;

/// The longest cookie that is kept, of name, value and path; a longer one is thrown away, as browsers do (RFC 6265bis,
/// section 5.6).
const MAX_COOKIE_BYTES: usize = 4096;

/// A cookie that has expired before this is one that the service deletes: 2000-01-01, in seconds since 1970. No clock
/// is needed to see it, and nobody deletes by another date than one of 1970.
const LONG_AGO: i64 = 946_684_800;

/// The cookies that a user has, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jar(Vec<Held>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    name: String,
    value: String,
    /// It is sent with paths below this; `/` where the service names none.
    path: String,
}

impl Jar {
    /// Keeps, replaces or deletes what the value of a header `set-cookie` says.
    pub fn take_in(&mut self, set_cookie: &str) {
        let Ok(cookie) = Cookie::parse(set_cookie) else { return };
        let path = cookie.path().filter(|path| path.starts_with('/')).unwrap_or("/");
        let (name, value) = cookie.name_value();
        self.0.retain(|held| held.name != name || held.path != path);
        let is_deleted = match (cookie.max_age(), cookie.expires_datetime()) {
            (Some(age), _) => !age.is_positive(),
            (None, Some(moment)) => moment.unix_timestamp() < LONG_AGO,
            (None, None) => false,
        };
        if is_deleted || name.len() + value.len() + path.len() > MAX_COOKIE_BYTES {
            return;
        }
        let bytes = |held: &Held| held.name.len() + held.value.len() + held.path.len();
        let new = Held { name: name.to_owned(), value: value.to_owned(), path: path.to_owned() };
        while self.0.len() == MAX_COOKIES
            || self.0.iter().map(bytes).sum::<usize>() + bytes(&new) > MAX_JAR_BYTES && !self.0.is_empty()
        {
            self.0.remove(0);
        }
        self.0.push(new);
    }

    /// Appends the value of the header `cookie` for a request of `path` to `out`: nothing where it has none.
    pub fn write(&self, path: &str, out: &mut String) {
        for (place, held) in self.0.iter().filter(|held| held.is_for(path)).enumerate() {
            if place > 0 {
                out.push_str("; ");
            }
            out.extend([held.name.as_str(), "=", held.value.as_str()]);
        }
    }
}

impl Held {
    /// RFC 6265, section 5.1.4.
    fn is_for(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(set: &[&str], path: &str) -> String {
        let mut jar = Jar::default();
        for cookie in set {
            jar.take_in(cookie);
        }
        let mut out = String::new();
        jar.write(path, &mut out);
        out
    }

    #[test]
    fn cookies_are_sent_back_replaced_and_deleted() {
        assert_eq!(sent(&["a=1; HttpOnly", "b=2; Secure; SameSite=Lax"], "/"), "a=1; b=2");
        assert_eq!(sent(&["a=1", "b=2", "a=3; Max-Age=60"], "/"), "b=2; a=3");
        assert_eq!(sent(&["a=1", "a=; Max-Age=0"], "/"), "");
        assert_eq!(sent(&["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/"), "");
        assert_eq!(sent(&["a=1; Expires=Thu, 01 Jan 2037 00:00:00 GMT", "=", ""], "/"), "a=1");
    }

    #[test]
    fn a_cookie_of_a_path_is_sent_below_it() {
        let set = ["all=1", "cart=2; Path=/cart"];
        assert_eq!(sent(&set, "/cart/3"), "all=1; cart=2");
        assert_eq!(sent(&set, "/cartoon"), "all=1");
        assert_eq!(sent(&set, "/"), "all=1");
    }

    #[test]
    fn number_and_size_are_bounded() {
        let many: Vec<String> = (0..60).map(|n| format!("c{n}=v")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let sent_back = sent(&many, "/");
        assert!(sent_back.starts_with("c10=v; ") && sent_back.ends_with("c59=v"), "{sent_back}");
        assert_eq!(sent(&[&format!("long={}", "x".repeat(MAX_COOKIE_BYTES))], "/"), "");
        let large: Vec<String> = (0..9).map(|n| format!("c{n}={}", "x".repeat(2000))).collect();
        let large: Vec<&str> = large.iter().map(String::as_str).collect();
        let sent_back = sent(&large, "/");
        assert!(sent_back.starts_with("c5=") && sent_back.len() < MAX_JAR_BYTES, "{} bytes", sent_back.len());
    }
}
