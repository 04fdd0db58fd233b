//! Access logs in the combined format, as nginx and Apache write it:
//! `client ident user [time] "request" status bytes "referrer" "agent"`.

use std::io::{self, BufRead, Read};

/// What one line says.
#[derive(Debug, PartialEq)]
pub(crate) struct Hit<'a> {
    pub(crate) client: &'a str,
    /// Seconds since the Unix epoch.
    pub(crate) time: u64,
    /// The path without its query; `None` if what was sent is no HTTP request.
    pub(crate) path: Option<&'a str>,
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    pub(crate) agent: &'a str,
}

/// Reads a line; `None` if it is not of the format. The last two fields may be missing, as in
/// the common format.
pub(crate) fn parse(line: &str) -> Option<Hit<'_>> {
    let (client, rest) = line.split_once(' ')?;
    let (_, rest) = rest.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    let (request, rest) = quoted(rest)?;
    let mut rest = rest.trim_start().splitn(3, ' ');
    let status = rest.next()?.parse().ok()?;
    let bytes = match rest.next()? {
        "-" => 0,
        bytes => bytes.parse().ok()?,
    };
    let agent = rest.next().and_then(agent_of).unwrap_or("-");
    Some(Hit { client, time: parse_time(time)?, path: path_of(request), status, bytes, agent })
}

/// What comes before the closing quote, and what after it. Apache escapes quotes by `\"`.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    Some((&text[..end], &text[end + 1..]))
}

fn agent_of(rest: &str) -> Option<&str> {
    let (_referrer, rest) = quoted(rest.strip_prefix('"')?)?;
    let (agent, _) = quoted(rest.trim_start().strip_prefix('"')?)?;
    Some(agent)
}

/// The path of `GET /path?query HTTP/1.1`; the version is missing in requests of HTTP 0.9.
fn path_of(request: &str) -> Option<&str> {
    let (method, target) = request.split_once(' ')?;
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let target = target.rsplit_once(" HTTP/").map_or(target, |(target, _version)| target);
    target.split(['?', '#']).next().filter(|path| !path.is_empty())
}

/// Seconds since the Unix epoch of `23/Nov/2026:05:13:11 +0000`.
fn parse_time(text: &str) -> Option<u64> {
    let (stamp, zone) = text.split_once(' ')?;
    let fields: Vec<&str> = stamp.split(['/', ':']).collect();
    let [day, month, year, hour, minute, second] = fields[..] else { return None };
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let within = |text: &str, low: i64, high: i64| {
        text.parse::<i64>().ok().filter(|number| (low..=high).contains(number))
    };
    let days = days_since_epoch(within(year, 1970, 9999)?, month, within(day, 1, 31)?);
    let seconds =
        within(hour, 0, 23)? * 3600 + within(minute, 0, 59)? * 60 + within(second, 0, 60)?;
    u64::try_from(days * 86_400 + seconds - zone_offset(zone)?).ok()
}

/// Seconds east of Greenwich of `+0130`.
fn zone_offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes() {
        [b'+', _, _, _, _] => 1,
        [b'-', _, _, _, _] => -1,
        _ => return None,
    };
    let digits: i64 = zone[1..].parse::<u16>().ok()?.into();
    Some(sign * (digits / 100 * 3600 + digits % 100 * 60))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are taken to begin in March,
/// so that the leap day is the last of them.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    const MARCH_OF_YEAR_0_TO_EPOCH: i64 = 719_468;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - MARCH_OF_YEAR_0_TO_EPOCH
}

/// The lines of a log, whatever bytes it is made of.
pub(crate) struct Lines<R> {
    input: R,
    /// How many bytes have been read.
    pub(crate) read: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Of a longer line the rest is passed over, so that no input takes up the memory.
    const LONGEST: u64 = 64 * 1024;

    pub(crate) fn new(input: R) -> Self {
        Self { input, read: 0, buffer: Vec::new() }
    }

    /// The next line without its end; bytes that are no UTF-8 are replaced.
    pub(crate) fn next(&mut self) -> io::Result<Option<String>> {
        self.buffer.clear();
        let read = (&mut self.input).take(Self::LONGEST).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.read += read as u64;
        if self.buffer.last() != Some(&b'\n') {
            self.read += self.input.skip_until(b'\n')? as u64;
        }
        let line = String::from_utf8_lossy(&self.buffer);
        Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_combined_format() {
        let request = r#"::1 - ada [23/Nov/2026:05:13:11 +0000] "GET /a?b=c HTTP/1.1""#;
        let line = [request, r#" 200 42 "-" "x \"y\" z""#].concat();
        let hit = parse(&line).unwrap();
        assert_eq!((hit.client, hit.path, hit.status, hit.bytes), ("::1", Some("/a"), 200, 42));
        assert_eq!(hit.agent, r#"x \"y\" z"#);
    }

    #[test]
    fn a_line_of_the_common_format() {
        let hit = parse(r#"a - - [01/Jan/1970:00:00:00 +0000] "GET /" 304 -"#).unwrap();
        assert_eq!((hit.path, hit.bytes, hit.agent), (Some("/"), 0, "-"));
    }

    #[test]
    fn what_is_no_http_request_is_a_hit_without_a_path() {
        for request in [r"\x16\x03\x01\x00\xEE", "SSH-2.0-Go", "", "-", "get /", "GET "] {
            let line = format!(r#"a - - [01/Jan/1970:00:00:00 +0000] "{request}" 400 150 "-" "-""#);
            assert_eq!(parse(&line).unwrap().path, None, "{request}");
        }
    }

    #[test]
    fn what_is_no_line_of_a_log_is_none() {
        let good = r#"a - - [01/Jan/1970:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "é""#;
        assert!(parse(good).is_some());
        for end in (0..good.len() - 9).filter(|end| good.is_char_boundary(*end)) {
            assert_eq!(parse(&good[..end]).map(|hit| hit.agent), None, "{}", &good[..end]);
        }
    }

    #[test]
    fn times() {
        assert_eq!(parse_time("01/Jan/1970:00:00:00 +0000"), Some(0));
        assert_eq!(parse_time("29/Feb/2024:12:00:00 +0000"), Some(1_709_208_000));
        assert_eq!(parse_time("23/Nov/2026:05:13:11 +0000"), Some(1_795_410_791));
        assert_eq!(parse_time("23/Nov/2026:07:43:11 +0230"), Some(1_795_410_791));
        assert_eq!(parse_time("22/Nov/2026:21:13:11 -0800"), Some(1_795_410_791));
    }

    #[test]
    fn what_is_no_time_is_none() {
        let bad = [
            "",
            "23/Nov/2026:05:13:11",
            "23/Nov/2026:05:13 +0000",
            "32/Nov/2026:05:13:11 +0000",
            "23/Nix/2026:05:13:11 +0000",
            "23/Nov/2026:24:13:11 +0000",
            "23/Nov/2026:05:13:11 +é00",
            "01/Jan/1970:00:00:00 +0100",
            "23/Nov/99999999999999999999:05:13:11 +0000",
        ];
        for text in bad {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn lines_of_any_bytes_and_length() {
        let long = "x".repeat(100_000);
        let text = [b"a\xff\r\n\n", long.as_bytes(), b"\nlast"].concat();
        let mut lines = Lines::new(&text[..]);
        assert_eq!(lines.next().unwrap().as_deref(), Some("a\u{fffd}"));
        assert_eq!(lines.next().unwrap().as_deref(), Some(""));
        assert_eq!(lines.next().unwrap().map(|line| line.len()), Some(64 * 1024));
        assert_eq!(lines.next().unwrap().as_deref(), Some("last"));
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.read, text.len() as u64);
    }
}
