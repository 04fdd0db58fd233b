//! What a web server could keep in a store while it serves: all four structures, fed with the
//! requests of the log, at the log's own time.
//!
//! | structure | keys | what for |
//! |---|---|---|
//! | sorted sets | `pages`, `clients`, `statuses`, `ticks`, `refused` | counts, in order |
//! | sorted set with TTL | `rate:CLIENT` | sliding window, one atomic batch a request |
//! | strings with TTL | `session:CLIENT AGENT` | requests of a visit, renewed by each |
//! | stream with a group | `errors` | work for two threads, see `errors.rs` |
//! | publish/subscribe | `alert.*` | live notifications, see `alerts.rs` |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder::{
    AddRule, Event, EventKind, Increment, Listener, ManualClock, RecvError, Result, SetOptions,
    Store, SubscriptionOptions,
};

use crate::log::Hit;
use crate::{alerts, errors, text};

/// A client may send so many requests in any `WINDOW`.
pub(crate) const LIMIT: usize = 40;
pub(crate) const WINDOW: Duration = Duration::from_secs(10);
/// A visit ends when nothing was asked for so long. A minute, as the log at hand is short.
pub(crate) const SESSION: Duration = Duration::from_secs(60);
/// So many errors of the server within a minute are an alert.
const TOO_MANY_ERRORS: i64 = 5;
/// The span of time of one count of requests, in seconds.
pub(crate) const TICK: u64 = 10;
/// How many of the longest visits are kept.
pub(crate) const LONGEST: i64 = 5;
/// Lengths of visits, in requests.
pub(crate) const LENGTHS: [&str; 5] = ["1", "2 to 4", "5 to 9", "10 to 19", "20 or more"];

pub(crate) struct Site {
    pub(crate) store: Store,
    clock: ManualClock,
    expired: Listener<Event>,
    pub(crate) totals: Totals,
}

/// What the rest must add up to.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) hits: u64,
    pub(crate) without_path: u64,
    pub(crate) refused: u64,
    pub(crate) errors: u64,
    pub(crate) alerts: u64,
    pub(crate) sessions_begun: u64,
    pub(crate) sessions_ended: u64,
    pub(crate) period: Option<(u64, u64)>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at(UNIX_EPOCH);
        let store = Store::builder().clock(&clock).build();
        let options = SubscriptionOptions::new().capacity(1 << 20);
        let expired = store.events_where(options, |event| {
            event.kind == EventKind::Expired && event.key.starts_with(b"session:")
        });
        Self { store, clock, expired, totals: Totals::default() }
    }

    /// Serves one request, so to speak.
    pub(crate) fn record(&mut self, hit: &Hit<'_>) -> Result<()> {
        self.advance_to(hit.time)?;
        self.count(hit)?;
        self.limit(hit)?;
        self.visit(hit)?;
        if hit.status >= 400 {
            self.report_error(hit)?;
        }
        Ok(())
    }

    /// Lets the time pass until then. Servers log a request when it ends, so lines may be a
    /// little out of order: time does not run backwards.
    fn advance_to(&mut self, time: u64) -> Result<()> {
        let (first, last) = self.totals.period.unwrap_or((time, time));
        self.totals.period = Some((first.min(time), last.max(time)));
        let then: SystemTime = UNIX_EPOCH + Duration::from_secs(time);
        if let Ok(passed) = then.duration_since(self.clock.wall())
            && !passed.is_zero()
        {
            self.clock.advance(passed);
            self.see_visitors_off()?;
        }
        Ok(())
    }

    /// Counts the request, in one atomic batch.
    fn count(&mut self, hit: &Hit<'_>) -> Result<()> {
        self.totals.hits += 1;
        let batch = self.store.batch();
        match hit.path {
            Some(path) => drop(batch.sorted_set("pages").increment(path, 1.0)),
            None => self.totals.without_path += 1,
        }
        batch.sorted_set("clients").increment(hit.client, 1.0);
        batch.sorted_set("statuses").increment(hit.status, 1.0);
        batch.sorted_set("ticks").increment(hit.time / TICK * TICK, 1.0);
        let bytes = i64::try_from(hit.bytes).unwrap_or(i64::MAX);
        batch.kv().increment_with("bytes", Increment::by(bytes).saturate());
        batch.exec()
    }

    /// Asks the rate limiter, as `examples/rate_limiter.rs` explains.
    fn limit(&mut self, hit: &Hit<'_>) -> Result<()> {
        let key = format!("rate:{}", hit.client);
        let now = self.store.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let batch = self.store.batch();
        let requests = batch.sorted_set(&key);
        requests.remove_by_score(..=now.saturating_sub(WINDOW).as_secs_f64());
        requests.add(self.totals.hits, now.as_secs_f64());
        let count = requests.len();
        batch.keys().expire(&key, WINDOW);
        batch.exec()?;
        if count.get()? <= LIMIT {
            return Ok(());
        }
        self.totals.refused += 1;
        self.store.sorted_set("refused").increment(hit.client, 1.0)?;
        // Told once a minute.
        let once = SetOptions::new().if_absent().expires_in(Duration::from_secs(60));
        if self.store.kv().set_with(format!("told:{}", hit.client), "", once)? {
            let client = text::cut(hit.client, 40);
            self.alert(alerts::LIMIT, hit, &format!("{client} exceeds {LIMIT} requests in 10 s"))?;
        }
        Ok(())
    }

    /// Begins or prolongs a visit: its requests are counted, and it lives on, in one step.
    fn visit(&mut self, hit: &Hit<'_>) -> Result<()> {
        let key = format!("session:{} {}", hit.client, hit.agent);
        let requests =
            self.store.kv().increment_with(key, Increment::by(1).expires_in(SESSION))?.value;
        self.totals.sessions_begun += u64::from(requests == 1);
        Ok(())
    }

    /// Hears of the visits that ended, with what their keys held.
    fn see_visitors_off(&mut self) -> Result<()> {
        loop {
            match self.expired.try_recv() {
                Ok(event) => {
                    let requests = event.value.map_or(Ok(0), |value| value.to())?;
                    self.visit_ended(&event.key["session:".len()..], requests)?;
                }
                // More ended at once than were to wait: how long they were is not known.
                Err(RecvError::Lagged(missed)) => self.totals.sessions_ended += missed,
                Err(_) => return Ok(()),
            }
        }
    }

    fn visit_ended(&mut self, visitor: &[u8], requests: u32) -> Result<()> {
        self.totals.sessions_ended += 1;
        let length = LENGTHS[[2, 5, 10, 20].partition_point(|bound| *bound <= requests)];
        let batch = self.store.batch();
        batch.sorted_set("session-lengths").increment(length, 1.0);
        let longest = batch.sorted_set("longest-sessions");
        longest.add_with(visitor, requests.into(), AddRule::IfGreater);
        longest.remove_by_rank(..-LONGEST);
        batch.exec()
    }

    /// Puts an error into the stream, for the workers.
    fn report_error(&mut self, hit: &Hit<'_>) -> Result<()> {
        self.totals.errors += 1;
        let status = hit.status.to_string();
        let path = hit.path.unwrap_or("(no HTTP)");
        let fields = [("status", &*status), ("path", path), ("client", hit.client)];
        self.store.stream(errors::STREAM).append(&fields)?;
        if hit.status < 500 {
            return Ok(());
        }
        let in_a_minute = Increment::by(1).first_expires_in(Duration::from_secs(60));
        let count = self.store.kv().increment_with("server-errors", in_a_minute)?.value;
        if count == TOO_MANY_ERRORS {
            self.alert(alerts::ERRORS, hit, &format!("{count} server errors within a minute"))?;
        }
        Ok(())
    }

    fn alert(&mut self, channel: &str, hit: &Hit<'_>, what: &str) -> Result<()> {
        self.totals.alerts += 1;
        self.store.publish(channel, format!("{}  {what}", text::time_of_day(hit.time)))?;
        Ok(())
    }
}
