//! Standard output, shared by the live notifications and a progress bar.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::text;

/// A bar is drawn at the bottom while the work goes on, if there is a terminal to see it.
/// Writing never fails: if nobody reads any more, there is nobody to tell.
pub(crate) struct Screen {
    is_terminal: bool,
    bar: Mutex<Bar>,
}

struct Bar {
    shown: String,
    drawn: Instant,
}

impl Screen {
    const REDRAW: Duration = Duration::from_millis(50);

    pub(crate) fn new() -> Self {
        let bar = Bar { shown: String::new(), drawn: Instant::now() };
        Self { is_terminal: io::stdout().is_terminal(), bar: Mutex::new(bar) }
    }

    /// Prints text above the bar.
    pub(crate) fn print(&self, text: &str) {
        let bar = self.bar.lock().unwrap();
        let erase = if bar.shown.is_empty() { "" } else { "\r\x1b[K" };
        write(&format!("{erase}{text}\n{}", bar.shown));
    }

    /// Shows how far the work is: the share of the bytes if their number is known.
    pub(crate) fn progress(&self, lines: u64, bytes: u64, total: Option<u64>) {
        if !self.is_terminal {
            return;
        }
        let mut bar = self.bar.lock().unwrap();
        if bar.drawn.elapsed() < Self::REDRAW {
            return;
        }
        let lines = text::thousands(lines);
        bar.shown = match total {
            Some(total) => {
                let share = bytes as f64 / total.max(1) as f64;
                let done = text::fit(&text::bar(share, 40), 40);
                format!("[{done}] {:3.0} %  {lines} lines", share.min(1.0) * 100.0)
            }
            None => format!("{lines} lines, {} kB", text::thousands(bytes / 1000)),
        };
        bar.drawn = Instant::now();
        write(&format!("\r{}\x1b[K", bar.shown));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        let mut bar = self.bar.lock().unwrap();
        if !bar.shown.is_empty() {
            write("\r\x1b[K");
            bar.shown.clear();
        }
    }
}

fn write(text: &str) {
    let mut output = io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}
