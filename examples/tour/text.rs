//! Text in columns of a terminal, whatever strangers have put into it.

use std::time::Duration;

/// `text` in exactly `width` columns: filled up with spaces, or cut with an ellipsis.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    let padding = width - columns(&cut);
    cut + &" ".repeat(padding)
}

/// `text` in at most `width` columns. Characters that could move the cursor or turn the direction
/// of writing are shown as a question mark.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let harmless = |c: char| if c.is_control() || turns(c) { '?' } else { c };
    let mut used = 0;
    let mut shown = String::new();
    let mut characters = text.chars().map(harmless).peekable();
    while let Some(character) = characters.next() {
        used += column(character);
        if used > width || (used == width && characters.peek().is_some_and(|c| column(*c) > 0)) {
            // The ellipsis needs a column of its own.
            while columns(&shown) + 1 > width && shown.pop().is_some() {}
            if width > 0 {
                shown.push('…');
            }
            return shown;
        }
        shown.push(character);
    }
    shown
}

fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// How many columns a character takes: an approximation that knows the large blocks of wide and
/// of combining characters.
fn column(character: char) -> usize {
    match character as u32 {
        0x300..=0x36f | 0x200b..=0x200f | 0x2060..=0x2064 | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff => 2,
        0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// A bar of up to `width` columns for a share of the whole, in eighths of a column.
pub(crate) fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    // What there is at all is seen.
    let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A time since the Unix epoch in seconds, as the date and time of day in Greenwich.
pub(crate) fn date_and_time(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    format!("{year}-{month:02}-{day:02} {}", time_of_day(seconds))
}

pub(crate) fn time_of_day(seconds: u64) -> String {
    let of_day = seconds % 86_400;
    format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// Year, month and day of a day since the Unix epoch. Years are taken to begin in March.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day)
}

/// `5 min 18 s`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Per second, in words.
pub(crate) fn rate(count: u64, time: Duration) -> String {
    format!("{} a second", thousands((count as f64 / time.as_secs_f64().max(1e-9)) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fits_its_columns() {
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcde", 5), "abcde");
        assert_eq!(fit("abcdef", 5), "abcd…");
        assert_eq!(fit("größer", 4), "grö…");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日… ");
        assert_eq!(fit("e\u{301}e\u{301}", 2), "e\u{301}e\u{301}");
        assert_eq!(fit("\x1b[2J\n", 6), "?[2J? ");
        assert_eq!((fit("ab", 1), fit("ab", 0)), ("…".into(), String::new()));
        for width in 0..40 {
            assert_eq!(columns(&fit(&"ab日é".repeat(100), width)), width);
        }
    }

    #[test]
    fn bars() {
        assert_eq!(bar(0.0, 10), "");
        assert_eq!(bar(0.0001, 10), "▏");
        assert_eq!(bar(0.55, 10), "█████▌");
        assert_eq!(bar(7.0, 3), "███");
        assert_eq!(bar(f64::NAN, 3), "");
    }

    #[test]
    fn numbers_and_times() {
        assert_eq!((thousands(0), thousands(999)), ("0".into(), "999".into()));
        assert_eq!((thousands(1000), thousands(1_234_567)), ("1,000".into(), "1,234,567".into()));
        assert_eq!(date_and_time(0), "1970-01-01 00:00:00");
        assert_eq!(date_and_time(1_709_208_000), "2024-02-29 12:00:00");
        assert_eq!(date_and_time(1_795_410_791), "2026-11-23 05:13:11");
        assert_eq!((span(59), span(318)), ("59 s".into(), "5 min 18 s".into()));
        assert_eq!((span(7260), span(90_000)), ("2 h 1 min".into(), "1 d 1 h".into()));
    }
}
