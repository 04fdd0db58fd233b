//! Code that takes a connection of redis-rs, tested with no server: its data are isolated, time
//! passes when the test says so, and commands fail when it says so.
//!
//! `cargo run --features testing --example test_with_redis_rs`

use std::time::Duration;

use larder::testing::{FakeRedis, Fault};
use redis::RedisResult;

/// The code under test. It knows redis-rs and nothing of Larder.
mod login {
    use redis::{Commands, ConnectionLike, ExistenceCheck, RedisResult, SetExpiry, SetOptions};

    const VALID_SECONDS: u64 = 300;
    const TRIES: u64 = 3;

    #[derive(Debug, PartialEq)]
    pub(crate) enum Outcome {
        Welcome,
        WrongCode { tries_left: u64 },
        NoCode,
    }

    /// Remembers the code that was mailed to a user; answers false if an earlier one still counts.
    pub(crate) fn send_code(
        redis: &mut impl ConnectionLike,
        user: &str,
        code: &str,
    ) -> RedisResult<bool> {
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::EX(VALID_SECONDS));
        let set: Option<String> = redis.set_options(format!("code:{user}"), code, options)?;
        Ok(set.is_some())
    }

    /// Compares what the user typed in; after three wrong codes the mailed one counts no more.
    pub(crate) fn log_in(
        redis: &mut impl ConnectionLike,
        user: &str,
        code: &str,
    ) -> RedisResult<Outcome> {
        let (code_key, tries_key) = (format!("code:{user}"), format!("tries:{user}"));
        let (expected, tries): (Option<String>, u64) = redis::pipe()
            .atomic()
            .get(&code_key)
            .incr(&tries_key, 1)
            .expire(&tries_key, VALID_SECONDS as i64)
            .ignore()
            .query(redis)?;
        let outcome = match expected {
            None => Outcome::NoCode,
            Some(expected) if expected == code => Outcome::Welcome,
            Some(_) => Outcome::WrongCode { tries_left: TRIES.saturating_sub(tries) },
        };
        if matches!(outcome, Outcome::Welcome | Outcome::WrongCode { tries_left: 0 }) {
            let _: () = redis.del(&[code_key, tries_key])?;
        }
        Ok(outcome)
    }
}

use login::{Outcome, log_in, send_code};

fn a_code_is_valid_for_five_minutes() -> RedisResult<()> {
    let fake = FakeRedis::new();
    let mut redis = fake.connection();
    assert!(send_code(&mut redis, "ada", "1234")?);
    assert!(!send_code(&mut redis, "ada", "5678")?, "one mail at a time");

    fake.advance(Duration::from_secs(299));
    assert_eq!(log_in(&mut redis, "ada", "9999")?, Outcome::WrongCode { tries_left: 2 });
    println!("a second before the code expires:\n{}", fake.dump());

    fake.advance(Duration::from_secs(1));
    assert_eq!(log_in(&mut redis, "ada", "1234")?, Outcome::NoCode);
    Ok(())
}

fn three_wrong_codes_are_enough() -> RedisResult<()> {
    let fake = FakeRedis::new();
    let mut redis = fake.connection();
    send_code(&mut redis, "ada", "1234")?;
    for tries_left in [2, 1, 0] {
        assert_eq!(log_in(&mut redis, "ada", "0000")?, Outcome::WrongCode { tries_left });
    }
    assert_eq!(log_in(&mut redis, "ada", "1234")?, Outcome::NoCode);
    println!("commands sent for three wrong codes and a late one: {:?}\n", fake.all_calls());
    Ok(())
}

fn a_lost_reply_locks_nobody_out() -> RedisResult<()> {
    let fake = FakeRedis::new();
    send_code(&mut fake.connection(), "ada", "1234")?;

    fake.inject(Fault::disconnect().on("DEL"));
    let lost = log_in(&mut fake.connection(), "ada", "1234").unwrap_err();
    assert!(lost.is_connection_dropped());
    println!("the connection was lost on the way: {lost}");

    // The code still counts, so a second try over a new connection gets in.
    assert_eq!(log_in(&mut fake.connection(), "ada", "1234")?, Outcome::Welcome);
    assert_eq!(fake.dump(), "", "nothing is left behind");
    Ok(())
}

fn main() -> RedisResult<()> {
    a_code_is_valid_for_five_minutes()?;
    three_wrong_codes_are_enough()?;
    a_lost_reply_locks_nobody_out()?;
    println!("three tests passed, with no server");
    Ok(())
}
