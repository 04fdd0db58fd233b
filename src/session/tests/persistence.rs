//! Sessions of a store that keeps its data.

use std::time::Instant;

use super::*;
use crate::persist::disk::{Disk, Gate};
use crate::persist::{self, Durability, Fault, Memory};

/// A house whose store keeps in memory.
struct KeptHouse {
    house: House,
    memory: Memory,
    gate: Arc<Gate>,
    sync_gate: Arc<Gate>,
}

impl KeptHouse {
    fn new(durability: Durability) -> Self {
        Self::with(durability, FaceOptions::default())
    }

    fn with(durability: Durability, options: FaceOptions) -> Self {
        let (disk, clock) = (Disk::default(), ManualClock::new());
        let Disk { memory, snapshot_gate: gate, sync_gate, .. } = disk.clone();
        let builder = Store::builder().clock(&clock).persistence(disk).durability(durability);
        let store = builder.rewrite_above(u64::MAX).open().unwrap();
        let house = House { face: Face::new(&store, options), clock };
        Self { house, memory, gate, sync_gate }
    }

    fn store(&self) -> &Store {
        &self.house.face.0.store
    }

    fn guest(&self) -> Guest {
        self.house.guest()
    }

    /// What is found after a crash of now.
    fn after_a_crash(self) -> Store {
        self.memory.crash();
        let memory = self.memory.clone();
        drop(self);
        Store::builder().persistence(memory).open().unwrap()
    }
}

/// Waits until `done`, for a few seconds at most.
fn eventually(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Guest {
    /// The reply to a command that may wait.
    fn ask(&mut self, command: &str) -> String {
        let reply = self.say(command);
        if reply.is_empty() { self.awaited() } else { reply }
    }

    /// What comes once the bell has rung.
    fn awaited(&mut self) -> String {
        eventually(|| self.bell.0.load(Ordering::SeqCst) > 0);
        self.woken()
    }

    /// A field of `INFO persistence`.
    fn field(&mut self, name: &str) -> String {
        let info = self.say("INFO persistence");
        let start = format!("{name}:");
        let field = info.split('|').find_map(|line| line.strip_prefix(&start));
        field.unwrap_or_else(|| panic!("no {name} in {info}")).to_owned()
    }

    fn number(&mut self, name: &str) -> u64 {
        self.field(name).parse().expect("a number")
    }

    fn setting(&mut self, name: &str) -> String {
        let answer = self.say(&format!("CONFIG GET {name}"));
        let value = answer.rsplit('|').next().unwrap_or_default();
        if value == "$0" { String::new() } else { value.to_owned() }
    }
}

#[test]
fn a_store_without_a_persistence_does_not_pretend() {
    let options = FaceOptions { on_shutdown: Some(Box::new(|| ())), ..FaceOptions::default() };
    let mut guest = House::with(options).guest();
    let refusal = "-ERR the store has no persistence: nothing is kept";
    for command in ["SAVE", "BGSAVE", "BGREWRITEAOF", "DEBUG LOADAOF", "SHUTDOWN SAVE"] {
        assert_eq!(guest.say(command), refusal, "{command}");
    }
    assert_eq!(
        guest.say("WAITAOF 1 0 0"),
        "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
    );
    assert_eq!(guest.say("WAITAOF 0 0 0"), "*2|:0|:0");
    assert_eq!(guest.field("aof_enabled"), "0");
    assert_eq!((guest.setting("appendonly"), guest.setting("save")), ("no".into(), "".into()));
    assert_eq!(guest.say("CONFIG SET appendonly no"), "+OK");
    assert_eq!(
        guest.say("CONFIG SET appendonly yes"),
        "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - \
         can't set immutable config"
    );
    guest.say("SHUTDOWN");
    assert!(guest.session.is_done());
}

#[test]
fn save_is_answered_once_the_snapshot_is_committed_and_holds_up_nobody_else() {
    let house = KeptHouse::new(Durability::EverySecond);
    let (mut one, mut two) = (house.guest(), house.guest());
    let opened = one.say("LASTSAVE");
    house.house.clock.advance(Duration::from_secs(100));
    assert_eq!(one.say("SET a 1\nINCR a\nGET a"), "+OK|:2|$1|2");
    assert_eq!(one.number("rdb_changes_since_last_save"), 2);

    house.gate.shut();
    assert_eq!(one.say("SAVE\nPING"), "");
    assert!(one.session.is_blocked());
    eventually(|| two.number("current_save_keys_processed") == 1);
    assert_eq!(two.say("SET b 2"), "+OK");
    assert_eq!(two.say("LASTSAVE"), opened);
    assert_eq!(two.say("CLIENT UNBLOCK 1"), ":0", "it is not one of those calls");
    house.gate.open();
    assert_eq!(one.awaited(), "+OK|+PONG");

    let saved: u64 = two.say("LASTSAVE")[1..].parse().unwrap();
    assert_eq!(saved, opened[1..].parse::<u64>().unwrap() + 100);
    assert_eq!(two.number("rdb_last_save_time"), saved);
    assert_eq!(two.number("rdb_changes_since_last_save"), 1);
    assert_eq!((two.number("rdb_saves"), two.number("aof_rewrites")), (1, 1));
    assert_eq!(one.say("MULTI\nSAVE"), "+OK|-ERR Command not allowed inside a transaction");
    house.store().sync().unwrap();
    let found = house.after_a_crash();
    assert_eq!(found.recovery().unwrap().snapshot_keys, 1);
    assert_eq!(found.keys().len().unwrap(), 2);
}

#[test]
fn all_who_wait_for_a_snapshot_that_has_yet_to_begin_wait_for_the_same() {
    let house = KeptHouse::new(Durability::EverySecond);
    let [mut first, mut gone, mut second, mut third] = [(); 4].map(|()| house.guest());
    house.gate.shut();
    assert_eq!(first.say("SET a 1\nSAVE"), "+OK");
    eventually(|| third.number("current_save_keys_processed") == 1);
    assert_eq!(gone.say("SAVE"), "");
    assert_eq!(second.say("SET b 1\nSAVE"), "+OK");
    drop(gone);
    assert_eq!(third.say("SET c 1\nSAVE"), "+OK");
    house.gate.open();
    for guest in [&mut first, &mut second, &mut third] {
        assert_eq!(guest.awaited(), "+OK");
    }
    assert_eq!(first.number("rdb_saves"), 2);
    assert_eq!(house.after_a_crash().recovery().unwrap().snapshot_keys, 3);
}

#[test]
fn one_snapshot_is_made_at_a_time_and_others_hear_what_redis_says() {
    let house = KeptHouse::new(Durability::EverySecond);
    let mut guest = house.guest();
    house.gate.shut();
    assert_eq!(guest.say("BGSAVE"), "+Background saving started");
    assert_eq!(guest.number("rdb_bgsave_in_progress"), 1);
    assert_eq!(guest.number("aof_rewrite_in_progress"), 0);
    let saving = "-ERR Background save already in progress";
    assert_eq!(guest.say("BGSAVE\nBGSAVE SCHEDULE\nSAVE"), [saving; 3].join("|"));
    let scheduled = "+Background append only file rewriting scheduled";
    assert_eq!(guest.say("BGREWRITEAOF\nBGREWRITEAOF"), [scheduled; 2].join("|"));
    assert_eq!(guest.number("aof_rewrite_scheduled"), 1);
    house.gate.open();
    eventually(|| guest.number("aof_rewrites") == 2);
    assert_eq!(guest.number("aof_rewrite_scheduled"), 0);

    house.gate.shut();
    assert_eq!(guest.say("BGREWRITEAOF"), "+Background append only file rewriting started");
    assert_eq!(guest.number("aof_rewrite_in_progress"), 1);
    assert_eq!(guest.number("rdb_bgsave_in_progress"), 0);
    assert_eq!(
        guest.say("BGREWRITEAOF\nBGSAVE\nBGSAVE SCHEDULE\nBGSAVE NOW"),
        "-ERR Background append only file rewriting already in progress|\
         -ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE \
         in order to schedule a BGSAVE whenever possible.|\
         +Background saving scheduled|-ERR syntax error"
    );
    house.gate.open();
    eventually(|| guest.number("rdb_saves") == 4);
    assert_eq!(
        guest.say("MULTI\nBGSAVE\nEXEC"),
        "+OK|+QUEUED|*1|+Background saving scheduled",
        "a transaction is over before it begins"
    );
    eventually(|| guest.number("rdb_saves") == 5);
}

#[test]
fn a_snapshot_that_fails_is_told_and_loses_nothing() {
    let house = KeptHouse::new(Durability::Always);
    let mut guest = house.guest();
    assert_eq!(guest.say("SET a 1"), "+OK");
    house.memory.fail_after(0, Fault::Io);
    assert_eq!(guest.ask("SAVE"), "-ERR an error of the device, injected");
    assert_eq!(guest.field("rdb_last_bgsave_status"), "err");
    assert_eq!(guest.field("aof_last_bgrewrite_status"), "err");
    assert_eq!(guest.number("aof_rewrites_consecutive_failures"), 1);
    assert_eq!(guest.number("rdb_changes_since_last_save"), 1);
    assert_eq!(guest.ask("SAVE"), "+OK");
    assert_eq!(guest.field("aof_last_bgrewrite_status"), "ok");
    assert_eq!(guest.number("aof_rewrites_consecutive_failures"), 0);
    assert_eq!(house.after_a_crash().kv().get_as("a"), Ok(Some(1)));
}

#[test]
fn a_log_that_cannot_be_written_is_told_in_the_words_of_redis() {
    let house = KeptHouse::new(Durability::Os);
    let (mut guest, mut other) = (house.guest(), house.guest());
    assert_eq!(guest.say("MULTI\nSET a 1"), "+OK|+QUEUED");
    house.memory.fail_from(0, Fault::Full);
    assert_eq!(other.say("SET a 1"), "-ERR done, but perhaps not kept: the disk is full, injected");
    let refusal = "MISCONF Errors writing to the AOF file: the disk is full, injected";
    assert_eq!(other.say("SET a 1\nPING\nGET a"), format!("-{refusal}|-{refusal}|$1|1"));
    assert_eq!(
        guest.say("EXEC"),
        format!("-EXECABORT Transaction discarded because of: {refusal}")
    );
    assert_eq!(
        guest.say("MULTI\nGET a\nSET a 2\nEXEC"),
        format!(
            "+OK|+QUEUED|-{refusal}|\
             -EXECABORT Transaction discarded because of previous errors."
        )
    );
    assert_eq!(other.field("aof_last_write_status"), "err");
    house.memory.heal();
    eventually(|| other.say("SET a 3") == "+OK");
    assert_eq!(other.say("PING"), "+PONG");
    assert_eq!(other.field("aof_last_write_status"), "ok");
}

#[test]
fn the_configuration_tells_how_the_store_was_opened() {
    let mut guest = KeptHouse::new(Durability::Always).guest();
    assert_eq!(guest.setting("appendonly"), "yes");
    assert_eq!(guest.setting("appendfsync"), "always");
    assert_eq!(guest.setting("dbfilename"), "");
    assert_eq!(guest.setting("auto-aof-rewrite-percentage"), "0");
    assert_eq!(
        guest.say("CONFIG SET appendonly no"),
        "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - \
         can't set immutable config"
    );
    assert_eq!(guest.say("CONFIG SET appendonly YES save \"\""), "+OK");

    let folder = std::env::temp_dir().join(format!("larder-config-{}", std::process::id()));
    let kept = persist::Directory::new(&folder).file_name("log.aof").folder_name("kept");
    let store = Store::builder().persistence(kept).rewrite_above(1 << 20).open().unwrap();
    let clock = ManualClock::new();
    let mut guest = House { face: Face::new(&store, FaceOptions::default()), clock }.guest();
    assert_eq!(guest.setting("appendfsync"), "everysec");
    assert_eq!(guest.setting("dir"), folder.to_string_lossy());
    assert_eq!(guest.setting("appenddirname"), "kept");
    assert_eq!(guest.setting("appendfilename"), "log.aof");
    assert_eq!(guest.setting("auto-aof-rewrite-min-size"), "1048576");
    assert_eq!(guest.setting("auto-aof-rewrite-percentage"), "100");
    drop((guest, store));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn snapshots_are_made_when_so_much_was_changed_in_so_long() {
    let house = KeptHouse::new(Durability::Always);
    let mut guest = house.guest();
    assert_eq!(guest.say("SET a 1\nCONFIG SET save \"3600 1 1 2\""), "+OK|+OK");
    assert_eq!(guest.setting("save"), "3600 1 1 2");
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(guest.number("rdb_saves"), 0, "one change is too few");
    assert_eq!(guest.say("SET b 1"), "+OK");
    eventually(|| guest.number("rdb_saves") == 1);
    assert_eq!(guest.number("rdb_changes_since_last_save"), 0);
    assert_eq!(guest.say("CONFIG SET save \"\"\nSET a 2\nSET b 2"), "+OK|+OK|+OK");
    std::thread::sleep(Duration::from_millis(2200));
    assert_eq!((guest.number("rdb_saves"), guest.setting("save")), (1, String::new()));
    assert_eq!(house.after_a_crash().recovery().unwrap().snapshot_keys, 2);
}

#[test]
fn another_face_of_a_store_knows_when_snapshots_are_made() {
    let house = KeptHouse::new(Durability::Always);
    assert_eq!(house.guest().say("CONFIG SET save \"3600 1 60 200\""), "+OK");
    let face = Face::new(house.store(), FaceOptions::default());
    let other = House { face, clock: house.house.clock.clone() };
    assert_eq!(other.guest().setting("save"), "3600 1 60 200");
}

#[test]
fn the_log_is_rewritten_when_it_has_grown_as_far_as_the_configuration_says() {
    let house = KeptHouse::new(Durability::Always);
    let mut guest = house.guest();
    let long = "x".repeat(5000);
    guest.say(&format!("SET a {long}\nSET a {long}\nCONFIG SET auto-aof-rewrite-min-size 8kb"));
    assert_eq!(guest.setting("auto-aof-rewrite-min-size"), "8192");
    assert_eq!(guest.setting("auto-aof-rewrite-percentage"), "0");
    assert_eq!(guest.number("aof_rewrites"), 0, "it is switched off");
    assert_eq!(guest.say("CONFIG SET auto-aof-rewrite-percentage 200"), "+OK");
    eventually(|| guest.number("aof_rewrites") == 1);
    let base = guest.number("aof_base_size");
    assert_eq!(guest.number("aof_current_size"), base);
    guest.say(&format!("SET a {long}\nCONFIG SET auto-aof-rewrite-percentage 0"));
    guest.say(&format!("SET b {long}\nSET c {long}"));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(guest.number("aof_rewrites"), 1, "it is switched off again");
    guest.say("CONFIG SET auto-aof-rewrite-percentage 100 auto-aof-rewrite-min-size 1mb");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(guest.number("aof_rewrites"), 1, "it is not that long");
}

#[test]
fn a_reload_is_kept_and_changes_nothing() {
    let house = KeptHouse::new(Durability::Always);
    let mut guest = house.guest();
    guest.say("SET a 1\nRPUSH l a b\nEXPIRE l 100\nHSET h f v\nHPEXPIRE h 50000 FIELDS 1 f");
    guest.say("XADD s 1-1 a b\nXGROUP CREATE s g 0\nXREADGROUP GROUP g ann STREAMS s >");
    guest.say("SELECT 3\nZADD z 1.5 a\nSADD s 1 2\nSET gone 1 PX 10");
    house.house.clock.advance(Duration::from_millis(10));
    let before = guest.say("DEBUG DIGEST");
    let copy = Store::builder().clock(&house.house.clock).build();
    let mut file = Vec::new();
    crate::rdb::export(house.store(), &mut file).unwrap();
    crate::rdb::import(&copy, &file[..]).unwrap();

    assert_eq!(guest.say("DEBUG RELOAD\nDEBUG DIGEST\nDBSIZE"), format!("+OK|{before}|:2"));
    assert_eq!(copy.first_difference(house.store()), None);
    assert_eq!(guest.say("DEBUG RELOAD MERGE NOFLUSH\nDEBUG DIGEST"), format!("+OK|{before}"));
    for options in ["NOSAVE", "NOFLUSH", "FOO"] {
        assert!(guest.say(&format!("DEBUG RELOAD {options}")).starts_with("-ERR"), "{options}");
    }
    for (_, shard) in house.store().databases().shards() {
        shard.read().check(house.store().databases().hasher());
    }
    let clock = ManualClock::at(house.store().now());
    let memory = house.memory.clone();
    memory.crash();
    drop((guest, house));
    let found = Store::builder().clock(&clock).persistence(memory).open().unwrap();
    assert_eq!(copy.first_difference(&found), None);
}

#[test]
fn appendfsync_can_be_changed_while_the_store_is_open() {
    let house = KeptHouse::new(Durability::Never);
    let mut guest = house.guest();
    assert_eq!(guest.say("SET a 1\nCONFIG SET appendfsync always"), "+OK|+OK");
    assert_eq!(guest.setting("appendfsync"), "always");
    assert_eq!(guest.say("SET b 1"), "+OK");
    assert_eq!(house.after_a_crash().keys().len().unwrap(), 2);

    let house = KeptHouse::new(Durability::Never);
    let mut guest = house.guest();
    assert_eq!(guest.say("SET a 1\nCONFIG SET appendfsync everysec"), "+OK|+OK");
    eventually(|| guest.number("aof_pending_bio_fsync") == 0);
    assert_eq!(house.after_a_crash().keys().len().unwrap(), 1);

    let house = KeptHouse::new(Durability::Os);
    assert_eq!(house.guest().say("CONFIG SET appendfsync no"), "+OK");
    let durability = || house.store().log().unwrap().durability();
    assert_eq!(durability(), Durability::Os, "it is that already");
    assert_eq!(house.guest().say("CONFIG SET appendfsync always"), "+OK");
    assert_eq!(durability(), Durability::Always);
    assert_eq!(house.guest().say("CONFIG SET appendfsync no"), "+OK");
    assert_eq!(durability(), Durability::Os, "it is that again");
}

#[test]
fn sizes_are_those_of_what_is_kept() {
    let house = KeptHouse::new(Durability::Always);
    let mut guest = house.guest();
    assert_eq!((guest.number("aof_current_size"), guest.number("aof_base_size")), (0, 0));
    guest.say("SET a 1");
    let written = house.memory.edit_segment(1, |bytes| bytes.len()).unwrap() as u64;
    assert_eq!((guest.number("aof_current_size"), guest.number("aof_base_size")), (written, 0));
    assert_eq!(guest.ask("SAVE"), "+OK");
    let base = house.memory.edit_snapshot(|bytes| bytes.len()).unwrap() as u64;
    assert_eq!((guest.number("aof_current_size"), guest.number("aof_base_size")), (base, base));
}

#[test]
fn waitaof_is_answered_once_what_was_done_is_durable() {
    let house = KeptHouse::new(Durability::Never);
    let mut guest = house.guest();
    assert_eq!(guest.say("SET a 1\nWAITAOF 0 0 0"), "+OK|*2|:0|:0", "it waits for nothing");
    assert_eq!(guest.ask("WAITAOF 1 0 0"), "*2|:1|:0");
    assert_eq!(guest.say("WAITAOF 1 0 0"), "*2|:1|:0", "at once if it is durable");
    assert_eq!(guest.say("WAITAOF 1 1 500"), "", "there are no replicas");
    house.house.clock.advance(Duration::from_millis(500));
    assert_eq!(guest.awaited(), "*2|:1|:0");
    assert_eq!(
        guest.say("WAITAOF 2 0 0\nWAITAOF 1 -1 0\nWAITAOF 1 0 -1\nWAITAOF 1 0 x"),
        "-ERR value is out of range, value must between 0 and 1|\
         -ERR value is out of range, must be positive|-ERR timeout is negative|\
         -ERR timeout is not an integer or out of range"
    );
    assert_eq!(
        guest.say("MULTI\nSET b 1\nWAITAOF 1 1 0\nEXEC"),
        "+OK|+QUEUED|+QUEUED|*2|+OK|*2|:0|:0"
    );
    house.store().sync().unwrap();
    assert_eq!(guest.say("WAITAOF 1 1 0"), "");
    assert_eq!(house.guest().say("CLIENT UNBLOCK 1"), ":1");
    assert_eq!(guest.awaited(), "*2|:1|:0");
    assert_eq!(house.after_a_crash().keys().len().unwrap(), 2);
}

#[test]
fn waitaof_is_about_what_was_done_before_it_whatever_is_done_meanwhile() {
    let house = KeptHouse::new(Durability::Never);
    let (mut guest, mut other) = (house.guest(), house.guest());
    assert_eq!(guest.say("SET a 1\nWAITAOF 1 1 500"), "+OK", "there are no replicas");
    house.store().sync().unwrap();
    // Whoever syncs for the guest may come late, and would sync what follows too.
    house.sync_gate.shut();
    assert_eq!(other.say("SET b 1"), "+OK");
    house.house.clock.advance(Duration::from_millis(500));
    assert_eq!(guest.awaited(), "*2|:1|:0");
    house.memory.crash();
    house.sync_gate.open();
    assert_eq!(house.after_a_crash().keys().len().unwrap(), 1);
}

#[test]
fn whoever_comes_to_wait_while_a_sync_hangs_waits_for_the_next() {
    let house = KeptHouse::new(Durability::Never);
    let [mut first, mut second, mut third] = [(); 3].map(|()| house.guest());
    house.sync_gate.shut();
    assert_eq!(first.say("SET a 1\nWAITAOF 1 0 0"), "+OK");
    assert_eq!(second.say("SET b 1\nWAITAOF 1 0 5"), "+OK");
    assert_eq!(third.say("SET c 1\nWAITAOF 1 0 0"), "+OK");
    house.house.clock.advance(Duration::from_millis(5));
    assert_eq!(second.awaited(), "*2|:0|:0", "its time is over");
    house.sync_gate.open();
    for guest in [&mut first, &mut third] {
        assert_eq!(guest.awaited(), "*2|:1|:0");
    }
    assert_eq!(house.after_a_crash().keys().len().unwrap(), 3);
}

#[test]
fn a_shutdown_makes_everything_durable_and_leaves_the_store_open() {
    let options = || FaceOptions { on_shutdown: Some(Box::new(|| ())), ..FaceOptions::default() };
    for (command, snapshots) in [("SHUTDOWN", 0), ("SHUTDOWN NOSAVE", 0), ("SHUTDOWN SAVE", 1)] {
        let house = KeptHouse::with(Durability::Never, options());
        let mut guest = house.guest();
        assert_eq!(guest.say(&format!("SET a 1\n{command}")), "");
        assert!(guest.session.is_done() && house.house.face.is_shut_down());
        house.store().kv().set("b", 1).unwrap();
        let found = house.after_a_crash();
        assert_eq!(found.recovery().unwrap().snapshot_keys, snapshots, "{command}");
        assert_eq!(found.kv().get_as("a"), Ok(Some(1)));
    }
    let house = KeptHouse::with(Durability::Never, options());
    let mut guest = house.guest();
    guest.say("SET a 1");
    house.memory.fail_from(0, Fault::Io);
    assert!(guest.say("SHUTDOWN").starts_with("-ERR"), "what cannot be kept keeps it up");
    assert!(!house.house.face.is_shut_down());
    guest.say("SHUTDOWN FORCE");
    assert!(house.house.face.is_shut_down());
}

#[test]
fn replies_that_are_held_wait_for_the_log_once_for_all() {
    let house = KeptHouse::new(Durability::Always);
    let mut guests = [house.guest(), house.guest()];
    for guest in &mut guests {
        guest.session.hold_replies();
        guest.session.receive(b"INCR a\r\nMULTI\r\nINCR a\r\nEXEC\r\nGET a\r\n");
        assert!(guest.session.is_held());
    }
    let log = house.store().log().unwrap();
    assert!(!log.is_durable(log.end()), "nobody has waited yet");
    let position = guests.iter().map(|guest| guest.session.held_position()).max().unwrap();
    house.house.face.await_log(position).unwrap();
    house.memory.crash();
    for (guest, replies) in
        guests.iter_mut().zip([":1|+OK|+QUEUED|*1|:2|$1|2", ":3|+OK|+QUEUED|*1|:4|$1|4"])
    {
        guest.session.release(&Ok(()));
        assert_eq!(guest.heard(), replies);
    }
    assert_eq!(house.after_a_crash().kv().get_as("a"), Ok(Some(4)));
}

#[test]
fn an_error_of_the_log_takes_the_place_of_replies_to_writes_and_of_no_others() {
    let house = KeptHouse::new(Durability::Always);
    let mut guest = house.guest();
    guest.session.hold_replies();
    guest.say("HELLO 3\nSUBSCRIBE news");
    guest
        .session
        .receive(b"SET a 1\r\nGET a\r\nPUBLISH news x\r\nCLIENT REPLY SKIP\r\nSET a 2\r\n");
    guest.session.receive(b"MULTI\r\nSET b 1\r\nEXEC\r\nPING\r\n");
    house.memory.fail_from(0, Fault::FailedSync);
    let outcome = house.house.face.await_log(guest.session.held_position());
    guest.session.release(&outcome);
    assert!(!guest.session.is_held());
    let error = "-ERR done, but perhaps not kept: a failed sync, injected";
    assert_eq!(
        guest.heard(),
        format!("{error}|$1|1|>3|$7|message|$4|news|$1|x|:1|+OK|+QUEUED|{error}|+PONG")
    );
}

#[test]
fn what_others_are_to_hear_of_is_kept_first_even_if_replies_are_held() {
    let house = KeptHouse::new(Durability::Always);
    let (mut writer, mut reader) = (house.guest(), house.guest());
    writer.session.hold_replies();
    assert_eq!(reader.say("BLPOP jobs 0"), "");
    writer.session.receive(b"SET a 1\r\nRPUSH jobs x\r\n");
    let log = house.store().log().unwrap();
    assert!(log.is_durable(log.end()), "before the reader is woken");
    assert_eq!(reader.woken(), "*2|$4|jobs|$1|x");
    writer.session.release(&Ok(()));
    assert_eq!(writer.heard(), "+OK|:1");
}

#[test]
fn what_was_done_before_a_message_is_kept_before_it_is_heard_even_if_replies_are_held() {
    let messages = ["PUBLISH news x", "MULTI\r\nPUBLISH news x\r\nEXEC", "SPUBLISH news x"];
    for message in messages {
        let house = KeptHouse::new(Durability::Always);
        let (mut writer, mut reader) = (house.guest(), house.guest());
        writer.session.hold_replies();
        reader.say("SUBSCRIBE news\nSSUBSCRIBE news");
        writer.session.receive(format!("SET a 1\r\n{message}\r\n").as_bytes());
        assert!(reader.woken().ends_with("$4|news|$1|x"), "{message}");
        assert!(writer.session.is_held());
        assert_eq!(house.after_a_crash().kv().get_as("a"), Ok(Some(1)), "{message}");
    }
}

/// Writes whenever it is woken.
struct Scribe(Store);

impl Wake for Scribe {
    fn wake(self: Arc<Self>) {
        self.0.kv().set("scribe", 1).unwrap();
    }
}

#[test]
fn whoever_is_woken_by_a_message_waits_for_his_own_writes() {
    for message in ["PUBLISH news x", "SPUBLISH news x"] {
        let house = KeptHouse::new(Durability::Always);
        let scribe = Waker::from(Arc::new(Scribe(house.store().clone())));
        let peer = Peer {
            address: "test:2".into(),
            local: "test:0".into(),
            descriptor: -1,
            is_unix: false,
        };
        let mut reader = house.house.face.connect(peer, scribe).unwrap();
        reader.receive(b"SUBSCRIBE news\r\nSSUBSCRIBE news\r\n");
        let mut writer = house.guest();
        writer.session.hold_replies();
        writer.session.receive(format!("{message}\r\n").as_bytes());
        assert_eq!(house.guest().say("GET scribe"), "$1|1", "{message}");
        let log = house.store().log().unwrap();
        assert!(log.is_durable(log.end()), "{message}");
    }
}

#[test]
fn a_call_that_blocks_has_no_reply_yet_that_an_error_could_take_the_place_of() {
    let house = KeptHouse::new(Durability::Always);
    let mut guest = house.guest();
    guest.say("DEBUG SET-ACTIVE-EXPIRE 0\nRPUSH jobs old\nPEXPIRE jobs 10");
    house.house.clock.advance(Duration::from_millis(10));
    guest.session.hold_replies();
    guest.session.receive(b"BLPOP jobs 0\r\n");
    assert!(guest.session.is_held() && guest.session.is_blocked(), "the old list is removed");
    house.memory.fail_from(0, Fault::FailedSync);
    let outcome = house.house.face.await_log(guest.session.held_position());
    assert!(outcome.is_err());
    guest.session.release(&outcome);
    assert_eq!(guest.heard(), "");
}

#[test]
fn a_refused_transaction_leaves_the_client_as_it_was() {
    let house = KeptHouse::new(Durability::Always);
    let mut guest = house.guest();
    assert_eq!(guest.say("SET a 1\nCLIENT NO-TOUCH on\nMULTI\nSET b 1"), "+OK|+OK|+OK|+QUEUED");
    house.memory.fail_from(0, Fault::FailedSync);
    house.store().kv().set("c", 1).unwrap_err();
    assert!(guest.say("EXEC").starts_with("-EXECABORT"));
    house.house.clock.advance(Duration::from_secs(9));
    assert_eq!(guest.say("GET a\nOBJECT IDLETIME a"), "$1|1|:9");
}
