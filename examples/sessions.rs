//! Sessions that end when nobody has used them for a while.
//!
//! Redis: `SET key value PX ttl` to log in, `GETEX key PX ttl` to read and renew in one
//! step, `DEL` to log out, keyspace notifications to hear of the end. Here the notification of an
//! expired key brings the value that it had.
//!
//! A session is stored as a line of text; with the feature `serde` it could be
//! `Json<Session>`.
//!
//! Run: `cargo run --example sessions`

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use larder::{
    Error, EventKind, FromValue, ManualClock, Result, Store, SubscriptionOptions, ToValue, Value,
};

const IDLE: Duration = Duration::from_secs(30 * 60);

#[derive(Clone, Debug, PartialEq)]
struct Session {
    user: u64,
    name: String,
}

impl ToValue for Session {
    fn to_value(&self) -> Result<std::borrow::Cow<'_, [u8]>> {
        Ok(format!("{} {}", self.user, self.name).into_bytes().into())
    }
}

impl FromValue for Session {
    fn from_value(value: Value) -> Result<Self> {
        let malformed = Error::Decode("a session");
        let (user, name) = value.as_str()?.split_once(' ').ok_or(malformed.clone())?;
        Ok(Self { user: user.parse().map_err(|_| malformed)?, name: name.to_owned() })
    }
}

struct Sessions {
    store: Store,
}

impl Sessions {
    /// Begins a session and answers its token.
    fn log_in(&self, session: &Session) -> Result<String> {
        let token = random_token();
        self.store.kv().set_for(key(&token), session, IDLE)?;
        Ok(token)
    }

    /// Who it is; the session then lives on from now.
    fn of(&self, token: &str) -> Result<Option<Session>> {
        let session = self.store.kv().get_and_expire(key(token), IDLE)?;
        session.map(|session| session.to()).transpose()
    }

    fn log_out(&self, token: &str) -> Result<bool> {
        self.store.keys().delete(key(token))
    }
}

fn key(token: &str) -> String {
    format!("session:{token}")
}

/// For a real service take a cryptographic generator.
fn random_token() -> String {
    let word = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", word(), word())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::new();
    let sessions = Sessions { store: Store::builder().clock(&clock).build() };
    let expired = sessions.store.events_where(SubscriptionOptions::new(), |event| {
        event.kind == EventKind::Expired && event.key.starts_with(b"session:")
    });

    let ada = Session { user: 1, name: "Ada Lovelace".into() };
    let token = sessions.log_in(&ada)?;
    for _ in 0..10 {
        clock.advance(IDLE - Duration::from_secs(1));
        assert_eq!(sessions.of(&token)?.as_ref(), Some(&ada));
    }
    println!("Ada was active now and then for five hours: her session lives");

    clock.advance(IDLE);
    assert_eq!(sessions.of(&token)?, None);
    let ended: Session = expired.recv()?.value.expect("an expired string is shown").to()?;
    println!("after half an hour of nothing the session of {} ended by itself", ended.name);
    assert_eq!(ended, ada);

    let token = sessions.log_in(&ada)?;
    assert!(sessions.log_out(&token)?);
    assert_eq!(sessions.of(&token)?, None);
    println!("a session that is logged out is gone at once");
    assert_eq!(sessions.store.stats().keys, 0);
    Ok(())
}
