//! RDB files of any bytes: imported or refused, and never a panic. What was imported keeps its
//! invariants, and is the same after an export and another import.

#![no_main]

use larder::{ManualClock, Store, rdb};
use libfuzzer_sys::fuzz_target;

/// An end, and a checksum that is not looked at.
const END: [u8; 9] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0];

fuzz_target!(|data: &[u8]| {
    let headed = [b"REDIS0012", data, &END].concat();
    for file in [data, &headed] {
        let clock = ManualClock::new();
        let store = Store::builder().clock(&clock).build();
        let imported = rdb::import(&store, file);
        store.check();
        let Ok(imported) = imported else { continue };
        let mut exported = Vec::new();
        rdb::export(&store, &mut exported).expect("a vector takes all");
        let again = Store::builder().clock(&clock).build();
        let found = rdb::import(&again, &exported[..]).expect("it was exported just now");
        assert_eq!(found.keys, imported.keys);
        again.check();
    }
});
