//! Live notifications: a thread that subscribes to `alert.*` and prints what it hears.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use larder::{Overflow, Result, Store, SubscriptionOptions};

use crate::screen::Screen;
use crate::text;

pub(crate) const LIMIT: &str = "alert.limit";
pub(crate) const ERRORS: &str = "alert.errors";
const END: &str = "alert.end";

pub(crate) struct Alerts {
    store: Store,
    thread: JoinHandle<u64>,
}

impl Alerts {
    pub(crate) fn start(store: &Store, screen: Arc<Screen>) -> Self {
        // None may be lost: the publisher waits if this thread falls far behind.
        let subscription = store.subscription(SubscriptionOptions::new().overflow(Overflow::Block));
        subscription.psubscribe("alert.*");
        let thread = thread::spawn(move || {
            let mut heard = 0;
            for message in subscription.iter().flatten() {
                if message.channel == END {
                    break;
                }
                heard += 1;
                let payload = String::from_utf8_lossy(&message.payload);
                let channel = String::from_utf8_lossy(&message.channel);
                screen.print(&format!("{} {}", text::fit(&channel, 13), text::cut(&payload, 80)));
            }
            heard
        });
        Self { store: store.clone(), thread }
    }

    /// Waits until all that was published is printed; answers how many alerts were.
    pub(crate) fn finish(self) -> Result<u64> {
        self.store.publish(END, "")?;
        Ok(self.thread.join().expect("no panic"))
    }
}
