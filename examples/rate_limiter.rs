//! Rate limiter with a sliding window: at most so many requests in any span of so long.
//!
//! Redis: `MULTI`, `ZREMRANGEBYSCORE` (forget what has left the window), `ZADD` (this request, its
//! time as score), `ZCARD`, `ZRANGE` (who must leave before there is room), `EXPIRE` (a client that
//! stays away costs nothing), `EXEC`: one atomic batch, so that two requests never take the same
//! last place. Refused requests count too: who hammers stays out until he pauses. Where they should
//! not, ask and then add inside `Store::transaction`, which answers at once.
//!
//! Run: `cargo run --example rate_limiter`

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder::{ManualClock, Result, Store};

struct RateLimiter {
    store: Store,
    limit: usize,
    window: Duration,
    /// Makes each request a member of its own.
    requests: AtomicU64,
}

#[derive(Debug, PartialEq)]
struct Decision {
    allowed: bool,
    limit: usize,
    remaining: usize,
    /// When the next place in the window becomes free.
    reset_at: SystemTime,
}

impl RateLimiter {
    fn new(store: Store, limit: usize, window: Duration) -> Self {
        Self { store, limit, window, requests: AtomicU64::new(0) }
    }

    fn check(&self, client: &str) -> Result<Decision> {
        let key = format!("rate:{client}");
        let now = since_epoch(self.store.now());
        let limit = self.limit as i64;

        let batch = self.store.batch();
        let requests = batch.sorted_set(&key);
        requests.remove_by_score(..=millis(now.saturating_sub(self.window)));
        requests.add(self.requests.fetch_add(1, Ordering::Relaxed), millis(now));
        let count = requests.len();
        let oldest = requests.bottom(1);
        let last_in_a_full_window = requests.range(-limit..=-limit).get();
        batch.keys().expire(&key, self.window);
        batch.exec()?;

        let count = count.get()?;
        let (full, oldest) = (last_in_a_full_window.get()?, oldest.get()?);
        let (_, blocking) = full.first().or(oldest.first()).expect("this request is in the set");
        Ok(Decision {
            allowed: count <= self.limit,
            limit: self.limit,
            remaining: self.limit.saturating_sub(count),
            reset_at: UNIX_EPOCH + Duration::from_millis(*blocking as u64) + self.window,
        })
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A time as a score: milliseconds are exact in an `f64` for 285,000 years.
fn millis(time: Duration) -> f64 {
    time.as_millis() as f64
}

fn main() -> Result<()> {
    let clock = ManualClock::new();
    let start = clock.wall();
    let store = Store::builder().clock(&clock).build();
    let limiter = RateLimiter::new(store.clone(), 3, Duration::from_secs(10));

    println!("three requests in any ten seconds; one comes every two:");
    let mut decisions = Vec::new();
    for second in (0..=12).step_by(2) {
        let Decision { allowed, limit, remaining, reset_at } = limiter.check("ada")?;
        let verdict = if allowed { "allowed" } else { "refused" };
        let reset = reset_at.duration_since(start).unwrap_or_default().as_secs();
        println!("  {second:>2} s: {verdict}, {remaining} of {limit} left, next free at {reset} s");
        decisions.push((allowed, remaining, reset));
        clock.advance(Duration::from_secs(2));
    }
    assert_eq!(decisions[..3], [(true, 2, 10), (true, 1, 10), (true, 0, 10)]);
    assert_eq!(decisions[3..], [(false, 0, 12), (false, 0, 14), (false, 0, 16), (false, 0, 18)]);

    assert!(limiter.check("grace")?.allowed, "another client has a window of its own");
    clock.advance(Duration::from_secs(10));
    assert_eq!(store.stats().keys, 0);
    println!("after a pause of ten seconds nothing is left of them in the store");
    assert!(limiter.check("ada")?.allowed);

    hammer()
}

/// Eight threads, in real time, at one client's window: never more than the limit get through.
fn hammer() -> Result<()> {
    let limiter = RateLimiter::new(Store::new(), 100, Duration::from_secs(3600));
    let allowed = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let decision = limiter.check("crowd").expect("the key is a sorted set");
                    allowed.fetch_add(u64::from(decision.allowed), Ordering::Relaxed);
                }
            });
        }
    });
    println!(
        "8 threads asked 4000 times at once: {} allowed, the limit",
        allowed.load(Ordering::Relaxed)
    );
    assert_eq!(allowed.into_inner(), 100);
    Ok(())
}
