//! `DEBUG DIGEST`: the digest that Redis makes of a dataset, to compare one with another.
//!
//! Keys, and members of what has no order, are combined by exclusive or, so their order does not
//! matter; everything else is chained. The hash is SHA-1, as a fingerprint and not for safety. A
//! digest is of one instant only if nobody writes meanwhile.

use crate::keyspace::access::{Access, Read};
use crate::keyspace::{Databases, Space};
use crate::ops;
use crate::ops::scan::Matching;
use crate::value::Value;
use crate::wire::command::Context;
use crate::wire::{Decoder, Encoder, Frame, FrameLimits, Protocol, table};

/// A digest in the making.
#[derive(Clone, Copy, Default)]
pub(super) struct Digest([u8; 20]);

impl Digest {
    /// Adds something whose place matters.
    fn chain(&mut self, bytes: &[u8]) {
        self.combine(bytes);
        self.0 = sha1(&self.0);
    }

    /// Adds something whose place does not matter.
    fn combine(&mut self, bytes: &[u8]) {
        for (own, other) in self.0.iter_mut().zip(sha1(bytes)) {
            *own ^= other;
        }
    }

    /// In hexadecimal digits.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The digest of all databases.
pub(super) fn of_all(databases: &Databases) -> Digest {
    let mut all = Digest::default();
    for database in 0..databases.count() {
        let space = Space::new(databases, database);
        let keys = ops::run(space, &Matching { pattern: b"*" }).unwrap_or_default();
        if keys.is_empty() {
            continue;
        }
        all.chain(&u32::from(database).to_be_bytes());
        for key in keys {
            let mut digest = Digest::default();
            digest.chain(&key);
            add_value(&mut digest, space, &key);
            all.combine(&digest.0);
        }
    }
    all
}

/// The digest of what a key holds; of nothing, all zeros.
pub(super) fn of_value(space: Space<'_>, key: &[u8]) -> Digest {
    let mut digest = Digest::default();
    add_value(&mut digest, space, key);
    digest
}

fn add_value(digest: &mut Digest, space: Space<'_>, key: &[u8]) {
    let kind = Read::enter(space, key, |view| Ok(view.kind().zip(Some(view.deadline()))));
    let Ok(Some((kind, deadline))) = kind else { return };
    // The numbers of the types in Redis, and the request that answers all of a value.
    let (number, request): (u32, &[&[u8]]) = match kind.name() {
        "string" => (0, &[b"GET", key]),
        "list" => (1, &[b"LRANGE", key, b"0", b"-1"]),
        "set" => (2, &[b"SMEMBERS", key]),
        "zset" => (3, &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]),
        "hash" => (4, &[b"HGETALL", key]),
        _ => (6, &[b"XRANGE", key, b"-", b"+"]),
    };
    digest.chain(&number.to_be_bytes());
    match answer(space, request) {
        Frame::Bulk(value) => digest.chain(&value),
        Frame::Array(items) if matches!(number, 3 | 4) => {
            for pair in items.chunks(2) {
                let mut one = Digest::default();
                pair.iter().for_each(|part| one.chain(text(part)));
                digest.combine(&one.0);
            }
        }
        Frame::Array(items) if number == 2 => {
            items.iter().for_each(|member| digest.combine(text(member)));
        }
        Frame::Array(items) => items.iter().for_each(|item| add_element(digest, item)),
        _ => {}
    }
    if deadline.is_some() {
        digest.combine(b"!!expire!!");
    }
}

/// Adds an element of a list, or an entry of a stream.
fn add_element(digest: &mut Digest, element: &Frame) {
    let Frame::Array(entry) = element else { return digest.chain(text(element)) };
    let [id, Frame::Array(fields)] = &entry[..] else { return };
    let id: Vec<u8> =
        text(id).iter().map(|byte| if *byte == b'-' { b'.' } else { *byte }).collect();
    digest.chain(&id);
    fields.iter().for_each(|part| digest.chain(text(part)));
}

fn text(frame: &Frame) -> &[u8] {
    match frame {
        Frame::Bulk(text) => text,
        _ => &[],
    }
}

/// What a request is answered.
fn answer(space: Space<'_>, request: &[&[u8]]) -> Frame {
    let mut reply = Vec::new();
    let mut encoder = Encoder::new(&mut reply, Protocol::Resp2);
    let Some(row) = table::find(request[0]) else { return Frame::Null };
    if row.execute(&request[1..], &mut Context::Run(space), &mut encoder).is_err() {
        return Frame::Null;
    }
    let limits = FrameLimits::default();
    match Decoder::new(limits).decode(&reply) {
        Ok(Some((frame, _))) => frame,
        _ => Frame::Error(Value::from("the reply is too large")),
    }
}

/// SHA-1, as FIPS 180 has it.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut blocks = message.chunks_exact(64);
    for block in &mut blocks {
        mix_block(&mut state, block);
    }
    let rest = blocks.remainder();
    let mut tail = [0; 128];
    tail[..rest.len()].copy_from_slice(rest);
    tail[rest.len()] = 0x80;
    let end = if rest.len() < 56 { 64 } else { 128 };
    tail[end - 8..end].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    tail[..end].chunks_exact(64).for_each(|block| mix_block(&mut state, block));
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn mix_block(state: &mut [u32; 5], block: &[u8]) {
    let mut words = [0_u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    for at in 16..80 {
        let mixed = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
        words[at] = mixed.rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (at, word) in words.into_iter().enumerate() {
        let (function, constant) = match at / 20 {
            0 => (b & c | !b & d, 0x5a82_7999),
            1 => (b ^ c ^ d, 0x6ed9_eba1),
            2 => (b & c | b & d | c & d, 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let sum = a.rotate_left(5).wrapping_add(function).wrapping_add(e);
        let new = sum.wrapping_add(constant).wrapping_add(word);
        (a, b, c, d, e) = (new, a, b.rotate_left(30), c, d);
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d, e]) {
        *word = word.wrapping_add(add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha1_is_the_standard_one() {
        let hex = |text: &[u8]| Digest(sha1(text)).text();
        assert_eq!(hex(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let million = vec![b'a'; 1_000_000];
        assert_eq!(hex(&million), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
        assert_eq!(
            hex(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        );
    }
}
