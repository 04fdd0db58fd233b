//! Files of a real redis-server 7.0 in a store, and files of a store in a real server.
//!
//! Run it with `cargo test --features session --test interop`. It needs `redis-server`,
//! `redis-check-aof` and `redis-check-rdb`. `REDIS_VERSION` names the beginning of another version
//! that these are of, be it Redis's or Valkey's.

#[path = "../differential/redis.rs"]
mod redis;

mod aof;
mod commands;
mod data;
mod import;
mod rdb;

use std::task::Waker;

use larder::{Face, FaceOptions, Peer, Session, Store};

/// A client of the store.
fn client(store: &Store) -> Session {
    let face = Face::new(store, FaceOptions::default());
    let peer =
        Peer { address: "peer:0".into(), local: "local:0".into(), descriptor: 8, is_unix: false };
    face.connect(peer, Waker::noop().clone()).expect("a client")
}

/// What a client is answered to one request.
fn answer(client: &mut Session, request: &[&[u8]]) -> Vec<u8> {
    client.execute(request);
    client.take_output()
}
