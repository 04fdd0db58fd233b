//! Sessions without a socket: bytes in, bytes out.

mod persistence;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::time::Duration;

use super::*;
use crate::ManualClock;

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A face over a store whose clock stands still.
struct House {
    face: Face,
    clock: ManualClock,
}

struct Guest {
    session: Session,
    bell: Arc<Bell>,
}

impl House {
    fn new() -> Self {
        Self::with(FaceOptions::default())
    }

    fn with(options: FaceOptions) -> Self {
        let clock = ManualClock::new();
        let store = Store::builder().clock(&clock).build();
        Self { face: Face::new(&store, options), clock }
    }

    fn guest(&self) -> Guest {
        let bell = Arc::new(Bell::default());
        let peer = Peer {
            address: "test:1".into(),
            local: "test:0".into(),
            descriptor: -1,
            is_unix: false,
        };
        let session = self.face.connect(peer, Waker::from(Arc::clone(&bell))).unwrap();
        Guest { session, bell }
    }
}

impl Guest {
    /// Sends lines as inline requests; answers the replies with `|` for line ends.
    fn say(&mut self, lines: &str) -> String {
        for line in lines.split('\n') {
            self.session.receive(format!("{line}\r\n").as_bytes());
        }
        self.heard()
    }

    /// What has come.
    fn heard(&mut self) -> String {
        let output = self.session.take_output();
        String::from_utf8_lossy(&output).trim_end_matches("\r\n").replace("\r\n", "|")
    }

    /// What comes after the bell has rung.
    fn woken(&mut self) -> String {
        assert!(self.bell.0.swap(0, Ordering::SeqCst) > 0, "nobody rang");
        self.session.wake();
        self.heard()
    }
}

#[test]
fn requests_may_be_cut_anywhere_and_are_answered_in_order() {
    let requests =
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\nxy\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    for cut in 0..requests.len() {
        let mut guest = House::new().guest();
        guest.session.receive(&requests[..cut]);
        guest.session.receive(&requests[cut..]);
        assert_eq!(guest.heard(), "+OK|+PONG|$2|xy");
    }
    let mut guest = House::new().guest();
    requests.chunks(1).for_each(|byte| guest.session.receive(byte));
    assert_eq!(guest.heard(), "+OK|+PONG|$2|xy");
}

#[test]
fn bytes_that_are_no_request_end_the_connection_after_an_error() {
    let mut guest = House::new().guest();
    guest.session.receive(b"PING\r\n*1\r\n:5\r\nPING\r\n");
    assert!(!guest.session.is_done());
    assert!(!guest.session.wants_input());
    assert_eq!(guest.heard(), "+PONG|-ERR Protocol error: expected '$', got ':'");
    assert!(guest.session.is_done());
}

#[test]
fn a_transaction_runs_as_one_or_not_at_all() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    assert_eq!(
        one.say("MULTI\nSET a 1\nINCR a\nGET"),
        "+OK|+QUEUED|+QUEUED|\
        -ERR wrong number of arguments for 'get' command"
    );
    assert_eq!(one.say("EXEC"), "-EXECABORT Transaction discarded because of previous errors.");
    assert_eq!(
        one.say("GET a\nMULTI\nSET a 1\nZADD a 1 x\nSELECT 1\nSET b 2\nEXEC"),
        "$-1|+OK|+QUEUED|+QUEUED|+QUEUED|+QUEUED|*4|+OK|\
        -WRONGTYPE Operation against a key holding the wrong kind of value|+OK|+OK"
    );
    assert_eq!(one.say("GET b\nGET a"), "$1|2|$-1");
    assert_eq!(
        two.say("GET a\nEXEC\nMULTI\nMULTI\nDISCARD\nDISCARD"),
        "$1|1|-ERR EXEC without MULTI|+OK|-ERR MULTI calls can not be nested|+OK|\
        -ERR DISCARD without MULTI"
    );
}

#[test]
fn a_watch_is_broken_by_a_change_in_its_own_database_only() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    one.say("WATCH a\nSELECT 1\nWATCH b");
    two.say("SELECT 1\nSET a 1");
    assert_eq!(one.say("MULTI\nPING\nEXEC"), "+OK|+QUEUED|*1|+PONG");
    one.say("SELECT 0\nWATCH a");
    two.say("SELECT 0\nSET a 1");
    assert_eq!(one.say("MULTI\nPING\nEXEC"), "+OK|+QUEUED|*-1");
    one.say("WATCH a\nUNWATCH");
    two.say("SET a 2");
    assert_eq!(one.say("MULTI\nEXEC\nMULTI\nPING\nEXEC"), "+OK|*0|+OK|+QUEUED|*1|+PONG");
}

#[test]
fn commands_that_look_at_everything_run_between_two_parts() {
    let mut guest = House::new().guest();
    let replies = guest.say("MULTI\nSET a 1\nINFO keyspace\nSET b 1\nDBSIZE\nMEMORY USAGE a\nEXEC");
    assert!(replies.contains("*5|+OK|"), "{replies}");
    assert!(replies.contains("db0:keys=1,expires=0,avg_ttl=0||+OK|:2|:"), "{replies}");
}

#[test]
fn a_blocked_call_holds_back_what_follows() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    assert_eq!(one.say("BZPOPMIN z 0\nPING"), "");
    assert!(one.session.is_blocked());
    assert!(two.say("INFO clients").contains("blocked_clients:1"));
    assert_eq!(two.say("ZADD z 1 a"), ":1");
    assert_eq!(one.woken(), "*3|$1|z|$1|a|$1|1|+PONG");
    assert_eq!(two.say("EXISTS z"), ":0");
    assert!(two.say("INFO clients").contains("blocked_clients:0"));
}

#[test]
fn a_client_killed_while_it_waits_waits_no_longer() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    one.say("BZPOPMIN z 0");
    assert_eq!(two.say(&format!("CLIENT KILL ID {}", one.session.id())), ":1");
    one.session.wake();
    one.session.check();
    assert!(two.say("INFO clients").contains("blocked_clients:0"));
    assert_eq!(two.say("ZADD z 1 a\nZCARD z"), ":1|:1");
}

#[test]
fn what_a_killed_client_was_given_goes_to_the_next() {
    let house = House::new();
    let mut two = house.guest();
    let blocked = |request: &str| {
        let mut guest = house.guest();
        guest.say(request);
        assert!(guest.session.is_blocked());
        guest
    };
    for order in ["CLIENT KILL ID {}\nRPUSH q e", "RPUSH q e\nCLIENT KILL ID {}"] {
        let (mut one, mut next) = (blocked("BLPOP q 0"), blocked("BLPOP q 0"));
        two.say(&order.replace("{}", &one.session.id().to_string()));
        one.session.wake();
        assert!(one.session.is_done() && one.heard().is_empty());
        drop(one);
        assert_eq!(next.woken(), "*2|$1|q|$1|e");
    }
    let one = blocked("BZPOPMIN z 0");
    let kill = format!("MULTI\nCLIENT KILL ID {}\nZADD z 1 a\nEXEC", one.session.id());
    two.say(&kill);
    drop(one);
    assert_eq!(two.say("ZCARD z"), ":1");
}

#[test]
fn a_reply_that_is_not_wanted_may_come_late() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    assert_eq!(one.say("CLIENT REPLY SKIP\nBLPOP q 0"), "");
    two.say("RPUSH q e");
    assert_eq!(one.woken(), "");
    assert_eq!(one.say("PING"), "+PONG");
    two.say("CLIENT PAUSE 100 WRITE");
    assert_eq!(one.say("CLIENT REPLY SKIP\nSET a 1"), "");
    house.clock.advance(Duration::from_millis(100));
    assert_eq!(one.woken(), "");
    assert_eq!(one.say("GET a"), "$1|1");
    assert_eq!(one.say("CLIENT REPLY SKIP\nCLIENT REPLY SKIP\nPING\nPING 2"), "$1|2");
    assert_eq!(one.say("CLIENT REPLY SKIP\nSUBSCRIBE c"), "*3|$9|subscribe|$1|c|:1");
}

#[test]
fn a_transaction_whose_replies_pass_the_limit_runs_to_its_end_and_keeps_few() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    two.say("CONFIG SET client-output-buffer-limit \"normal 100000 0 0\"");
    two.say(&format!("SET big {}", "x".repeat(60_000)));
    one.say("MULTI");
    (0..100).for_each(|_| drop(one.say("GET big")));
    one.say("SET done 1");
    one.session.receive(b"EXEC\r\n");
    assert!(one.session.is_done() && one.session.output().is_empty());
    assert_eq!(two.say("GET done"), "$1|1");
}

#[test]
fn a_browser_is_shown_the_door() {
    let house = House::new();
    for line in ["POST / HTTP/1.1", "host: 127.0.0.1"] {
        let mut guest = house.guest();
        assert_eq!(guest.say(&format!("{line}\nSET owned yes")), "");
        assert!(guest.session.is_done());
    }
    assert_eq!(house.guest().say("GET owned"), "$-1");
}

#[test]
fn a_move_that_waited_for_a_place_of_another_type_says_so() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    one.say("BLMOVE q dd LEFT LEFT 0");
    two.say("SET dd 1\nRPUSH q e");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!(one.woken(), wrong);
    assert_eq!(two.say("LLEN q"), ":1");
}

#[test]
fn a_blocked_call_times_out_and_can_be_ended() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    assert_eq!(one.say("XREAD BLOCK 100 STREAMS s $"), "");
    house.clock.advance(Duration::from_millis(99));
    assert_eq!(one.heard(), "");
    house.clock.advance(Duration::from_millis(1));
    assert_eq!(one.woken(), "*-1");
    let id = one.session.id();
    assert_eq!(two.say(&format!("CLIENT UNBLOCK {id}")), ":0");
    one.say("BZPOPMAX z 0");
    assert_eq!(two.say(&format!("CLIENT UNBLOCK {id} ERROR\nCLIENT UNBLOCK {id}")), ":1|:0");
    assert_eq!(one.woken(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
    one.say("BZPOPMAX z 0");
    assert_eq!(two.say(&format!("CLIENT UNBLOCK {id} TIMEOUT")), ":1");
    assert_eq!(one.woken(), "*-1");
    assert_eq!(one.say("MULTI\nBZPOPMAX z 0\nWAIT 1 0\nEXEC"), "+OK|+QUEUED|+QUEUED|*2|*-1|:0");
}

#[test]
fn a_session_that_goes_away_while_it_waits_loses_nothing() {
    let house = House::new();
    let (mut one, mut two, mut three) = (house.guest(), house.guest(), house.guest());
    one.say("BZPOPMIN z 0");
    two.say("BZPOPMIN z 0");
    three.say("ZADD z 1 a");
    drop(one);
    assert_eq!(two.woken(), "*3|$1|z|$1|a|$1|1");
    two.say("BZPOPMIN z 0");
    drop(two);
    three.say("ZADD z 1 a");
    assert_eq!(three.say("ZCARD z"), ":1");
}

#[test]
fn a_blocked_reader_of_a_group_is_told_what_went_away() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    for (undo, told) in [
        (
            "XGROUP DESTROY s g",
            "-NOGROUP the consumer group this client was blocked on no longer exists",
        ),
        ("DEL s", "-UNBLOCKED the stream key no longer exists"),
    ] {
        two.say("DEL s\nXGROUP CREATE s g $ MKSTREAM");
        assert_eq!(one.say("XREADGROUP GROUP g c BLOCK 0 STREAMS s >"), "");
        two.say(undo);
        assert_eq!(one.woken(), told);
    }
}

#[test]
fn messages_reach_subscribers_in_both_protocols() {
    let house = House::new();
    let (mut one, mut two, mut three) = (house.guest(), house.guest(), house.guest());
    assert_eq!(
        one.say("SUBSCRIBE a b\nPSUBSCRIBE a*"),
        "*3|$9|subscribe|$1|a|:1|*3|$9|subscribe|$1|b|:2|*3|$10|psubscribe|$2|a*|:3"
    );
    two.say("HELLO 3\nSUBSCRIBE a\nSSUBSCRIBE a");
    assert_eq!(three.say("PUBLISH a x\nSPUBLISH a y"), ":3|:1");
    assert_eq!(one.woken(), "*3|$7|message|$1|a|$1|x|*4|$8|pmessage|$2|a*|$1|a|$1|x");
    assert_eq!(two.woken(), ">3|$7|message|$1|a|$1|x|>3|$8|smessage|$1|a|$1|y");
    assert_eq!(one.say("PING\nPING x"), "*2|$4|pong|$0||*2|$4|pong|$1|x");
    assert_eq!(
        one.say("GET a"),
        "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
         are allowed in this context"
    );
    assert_eq!(two.say("GET a"), "_");
    assert_eq!(
        one.say("UNSUBSCRIBE\nPUNSUBSCRIBE\nUNSUBSCRIBE\nGET a"),
        "*3|$11|unsubscribe|$1|a|:2|*3|$11|unsubscribe|$1|b|:1|\
         *3|$12|punsubscribe|$2|a*|:0|*3|$11|unsubscribe|$-1|:0|$-1"
    );
    assert_eq!(two.say("PUBLISH a z"), ">3|$7|message|$1|a|$1|z|:1");
}

#[test]
fn events_of_keys_are_messages_once_they_are_configured() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    one.say("PSUBSCRIBE __key*");
    assert_eq!(two.say("SET a 1\nCONFIG SET notify-keyspace-events KEA"), "+OK|+OK");
    assert_eq!(
        two.say("CONFIG GET notify-keyspace-events"),
        "*2|$22|notify-keyspace-events|$3|AKE"
    );
    two.say("SELECT 3\nSET a 1 PX 5");
    house.clock.advance(Duration::from_millis(10));
    let heard = one.woken();
    for part in [
        "$8|pmessage|$6|__key*|$16|__keyspace@3__:a|$3|set",
        "$8|pmessage|$6|__key*|$18|__keyevent@3__:set|$1|a",
        "$16|__keyspace@3__:a|$6|expire",
        "$22|__keyevent@3__:expired|$1|a",
    ] {
        assert!(heard.contains(part), "{part} is not in {heard}");
    }
    two.say("CONFIG SET notify-keyspace-events E$\nSET b 1\nDEL b");
    assert_eq!(one.woken(), "*4|$8|pmessage|$6|__key*|$18|__keyevent@3__:set|$1|b");
    two.say("CONFIG SET notify-keyspace-events \"\"\nSET b 1");
    one.session.wake();
    assert_eq!(one.heard(), "");
}

#[test]
fn a_password_is_asked_for_before_anything_else() {
    let house = House::with(FaceOptions { password: Some("secret".into()), ..Default::default() });
    let mut guest = house.guest();
    assert_eq!(
        guest.say("GET a\nPING"),
        "-NOAUTH Authentication required.|\
        -NOAUTH Authentication required."
    );
    assert_eq!(
        guest.say("AUTH wrong\nAUTH other secret"),
        "-WRONGPASS invalid username-password pair or user is disabled.|\
         -WRONGPASS invalid username-password pair or user is disabled."
    );
    assert!(guest.say("HELLO 3").starts_with("-NOAUTH HELLO must be called"));
    assert_eq!(guest.say("AUTH secret\nGET a"), "+OK|$-1");
    assert!(guest.say("RESET\nHELLO 3 AUTH default secret").starts_with("+RESET|%7|"));
    assert_eq!(guest.say("GET a"), "_");
}

#[test]
fn who_has_not_authenticated_sends_little_and_gets_little() {
    let house = House::with(FaceOptions { password: Some("secret".into()), ..Default::default() });
    let mut guest = house.guest();
    guest.session.receive(b"*11\r\n");
    assert_eq!(guest.heard(), "-ERR Protocol error: unauthenticated multibulk length");
    assert!(guest.session.is_done());
    let mut guest = house.guest();
    guest.session.receive(&b"PING\r\n".repeat(1000));
    assert!(guest.session.is_done());
    assert!(guest.session.output().is_empty());
}

#[test]
fn output_that_nobody_reads_stops_the_requests_then_the_client() {
    let house = House::new();
    let mut guest = house.guest();
    let big = "x".repeat(100_000);
    guest.session.execute(&[b"SET", b"big", big.as_bytes()]);
    assert_eq!(guest.heard(), "+OK");
    guest.session.receive(&b"GET big\r\n".repeat(1000));
    assert!(guest.session.output().len() < HIGH_WATER + 200_000);
    let mut total = 0;
    while !guest.session.output().is_empty() {
        let some = guest.session.output().len().min(70_000);
        total += some;
        guest.session.written(some);
    }
    assert_eq!(total, 1000 * (big.len() + "$100000\r\n\r\n".len()));
    guest.say("CONFIG SET client-output-buffer-limit \"normal 1000 0 0\"");
    guest.session.receive(b"GET big\r\n");
    assert!(guest.session.is_done());
    assert!(guest.session.output().is_empty());
}

#[test]
fn a_subscriber_that_reads_nothing_is_disconnected() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    two.say("CONFIG SET client-output-buffer-limit \"pubsub 1000 0 0\"");
    one.say("SUBSCRIBE a");
    for _ in 0..100 {
        two.say("PUBLISH a 0123456789");
        one.session.wake();
    }
    assert!(one.session.is_done());
    drop(one);
    assert_eq!(two.say("PUBLISH a x"), ":0");
}

#[test]
fn clients_know_and_kill_each_other() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    assert_eq!(
        one.say("CLIENT ID\nCLIENT GETNAME\nCLIENT SETNAME one\nCLIENT GETNAME"),
        ":1|$-1|+OK|$3|one"
    );
    let list = two.say("CLIENT LIST");
    assert!(
        list.contains("id=1 addr=test:1 laddr=test:0 fd=-1 name=one age=0 idle=0 flags=N db=0")
    );
    assert!(list.contains("cmd=client|getname user=default redir=-1 resp=2"));
    assert!(list.contains("cmd=client|list"));
    assert_eq!(two.say("CLIENT KILL ID 1\nCLIENT KILL ID 77"), ":1|:0");
    assert_eq!(one.woken(), "");
    assert!(one.session.is_done());
    assert_eq!(two.say("CLIENT KILL test:1"), "+OK");
    assert!(two.session.is_done());
    drop(one);
    assert_eq!(house.face.clients(), 1);
}

#[test]
fn clients_by_a_unix_socket_are_known_as_such() {
    let house = House::new();
    let path = String::from("/run/larder:0");
    let peer = Peer { address: path.clone(), local: path, descriptor: 7, is_unix: true };
    let bell = Arc::new(Bell::default());
    let session = house.face.connect(peer, Waker::from(Arc::clone(&bell))).unwrap();
    let info = Guest { session, bell }.say("MULTI\nCLIENT NO-EVICT on\nEXEC\nCLIENT INFO");
    assert!(info.contains("addr=/run/larder:0 laddr=/run/larder:0 fd=7 "), "{info}");
    assert!(info.contains(" flags=Ue db=0 "), "{info}");
}

#[test]
fn too_many_clients_are_refused() {
    let house = House::new();
    let mut one = house.guest();
    one.say("CONFIG SET maxclients 1");
    let refused = house.face.connect(Peer::default(), Waker::noop().clone());
    assert_eq!(refused.err(), Some(&b"-ERR max number of clients reached\r\n"[..]));
    drop(one);
    assert!(house.face.connect(Peer::default(), Waker::noop().clone()).is_ok());
}

#[test]
fn replies_can_be_turned_off() {
    let mut guest = House::new().guest();
    assert_eq!(guest.say("CLIENT REPLY OFF\nPING\nCLIENT REPLY ON\nPING"), "+OK|+PONG");
    assert_eq!(guest.say("CLIENT REPLY SKIP\nPING\nECHO a"), "$1|a");
}

#[test]
fn a_pause_has_clients_wait() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    assert_eq!(one.say("CLIENT PAUSE 100 WRITE\nGET a"), "+OK|$-1");
    assert_eq!(two.say("GET a\nSET a 1\nGET a"), "$-1");
    two.session.wake();
    assert_eq!(two.heard(), "");
    house.clock.advance(Duration::from_millis(100));
    assert_eq!(two.woken(), "+OK|$1|1");
    one.say("CLIENT PAUSE 100 WRITE");
    assert_eq!(two.say("SET a 2"), "");
    assert_eq!(one.say("CLIENT UNPAUSE"), "+OK");
    assert_eq!(two.woken(), "+OK");
    one.say("CLIENT PAUSE 100");
    two.session.execute(&[b"GET", b"a"]);
    assert!(two.session.is_blocked());
    house.clock.advance(Duration::from_millis(100));
    assert_eq!(two.woken(), "$1|2");
}

#[test]
fn what_a_client_takes_is_listed() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    one.say("MULTI\nSET key value");
    one.session.receive(b"PING");
    let line = two.say(&format!("CLIENT LIST ID {}", one.session.id()));
    let field = |name: &str| -> usize {
        let rest = line.split(&format!(" {name}=")).nth(1).expect("the field");
        rest.split(' ').next().unwrap().parse().expect("a number")
    };
    assert_eq!((field("multi"), field("qbuf")), (1, 4));
    assert!(field("multi-mem") >= "SETkeyvalue".len());
    assert!(field("tot-mem") >= field("multi-mem") + field("qbuf") + field("qbuf-free"));
}

#[test]
fn monitors_see_requests_but_no_passwords() {
    let house = House::new();
    let (mut one, mut two) = (house.guest(), house.guest());
    assert_eq!(one.say("MONITOR"), "+OK");
    two.say("SELECT 2\nSET a \"x\\n\\xff\\\"\"\nAUTH secret\nCONFIG GET a");
    assert_eq!(
        one.woken(),
        "+1577836800.000000 [2 test:1] \"SELECT\" \"2\"|\
         +1577836800.000000 [2 test:1] \"SET\" \"a\" \"x\\n\\xff\\\"\"|\
         +1577836800.000000 [2 test:1] \"AUTH\" \"(redacted)\""
    );
}

#[test]
fn slow_commands_are_kept() {
    let mut guest = House::new().guest();
    guest.say("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 2");
    guest.say("SET a 1\nGET a\nGET b");
    let log = guest.say("SLOWLOG GET 1");
    assert!(log.starts_with("*1|*6|:"), "{log}");
    assert!(log.ends_with("*2|$3|GET|$1|b|$6|test:1|$0"), "{log}");
    assert_eq!(guest.say("SLOWLOG LEN\nSLOWLOG RESET"), ":2|+OK");
}

#[test]
fn statistics_count_calls_refusals_and_errors() {
    let mut guest = House::new().guest();
    guest.say("GET a\nGET a\nGET\nSET a x\nINCR a\nFOO");
    let info = guest.say("INFO commandstats errorstats stats");
    assert!(info.contains("cmdstat_get:calls=2,"), "{info}");
    assert!(info.contains("rejected_calls=1,failed_calls=0"), "{info}");
    assert!(info.contains("cmdstat_incr:calls=1,"), "{info}");
    assert!(info.contains("errorstat_ERR:count=3"), "{info}");
    assert!(info.contains("total_error_replies:3"), "{info}");
    guest.say("CONFIG RESETSTAT");
    assert!(!guest.say("INFO commandstats").contains("cmdstat_get"));
}

#[test]
fn keys_of_requests_are_told() {
    let mut guest = House::new().guest();
    let keys = [
        ("GET a", "*1|$1|a"),
        ("MSET a 1 b 2", "*2|$1|a|$1|b"),
        ("BZPOPMIN a b 0", "*2|$1|a|$1|b"),
        ("ZUNIONSTORE d 2 a b", "*3|$1|d|$1|a|$1|b"),
        ("XREAD COUNT 1 STREAMS a b 0 0", "*2|$1|a|$1|b"),
        ("ZUNION 9 a b", "-ERR Invalid arguments specified for command"),
        ("PING a", "-ERR The command has no key arguments"),
        ("FOO a", "-ERR Invalid command specified"),
        ("ZADD a", "-ERR Invalid number of arguments specified for command"),
    ];
    for (request, reply) in keys {
        assert_eq!(guest.say(&format!("COMMAND GETKEYS {request}")), reply, "{request}");
    }
}

#[test]
fn quit_and_reset_and_shutdown() {
    let house = House::new();
    let mut guest = house.guest();
    assert_eq!(
        guest.say("HELLO 3\nSELECT 3\nMULTI\nRESET\nEXEC").split_once("+OK|+OK|").unwrap().1,
        "+RESET|-ERR EXEC without MULTI"
    );
    guest.session.receive(b"QUIT\r\nPING\r\n");
    assert_eq!(guest.heard(), "+OK");
    assert!(guest.session.is_done());
    let rung = Arc::new(Bell::default());
    let bell = Arc::clone(&rung);
    let on_shutdown: Box<dyn Fn() + Send + Sync> = Box::new(move || {
        bell.0.fetch_add(1, Ordering::SeqCst);
    });
    let house = House::with(FaceOptions { on_shutdown: Some(on_shutdown), ..Default::default() });
    let mut guest = house.guest();
    guest.say("SHUTDOWN NOSAVE");
    assert!(guest.session.is_done() && house.face.is_shut_down());
    assert_eq!(rung.0.load(Ordering::SeqCst), 1);
}

#[rustfmt::skip]
const WORDS: &[&[u8]] = &[
    b"a", b"b", b"1", b"0", b"-1", b"9223372036854775807", b"", b"*", b"x*", b"STREAMS", b"ID",
    b"TYPE", b"normal", b"GET", b"maxmemory", b"MIN", b"2", b"COUNT", b"3", b"default", b"\xff",
    b"WRITE", b"ERROR", b"0.001", b"FILTERBY", b"ACLCAT", b"read", b"AUTH", b"SETNAME", b">",
    b"$", b"BLOCK", b"GROUP", b"g", b"SAMPLES", b"all", b"*3", b"set", b"YES", b"SKIPME",
    b"slowlog-log-slower-than", b"notify-keyspace-events", b"KEA", b"-", b"+", b"1-1",
];

/// A request of some command, with at least as many arguments as it takes.
fn random_request(random: &mut crate::random::Random) -> Vec<u8> {
    let entry = table::all()[random.below(table::all().len())];
    let mut argv: Vec<&[u8]> = entry.name().split('|').map(str::as_bytes).collect();
    let wanted = usize::from(entry.arity().unsigned_abs());
    let more = if random.below(3) == 0 { random.below(4) } else { 0 };
    while argv.len() < wanted + more {
        argv.push(WORDS[random.below(WORDS.len())]);
    }
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, Protocol::Resp2);
    encoder.array(argv.len());
    argv.iter().for_each(|argument| encoder.bulk(argument));
    bytes
}

/// Random requests of all commands, by clients that come and go: nothing panics, and every session
/// holds its invariant.
#[test]
fn whatever_is_asked_is_answered() {
    let house = House::new();
    let mut random = crate::random::Random::new();
    let mut guests: Vec<Guest> = (0..4).map(|_| house.guest()).collect();
    for _ in 0..30_000 {
        let at = random.below(guests.len());
        let bytes = random_request(&mut random);
        let (front, back) = bytes.split_at(random.below(bytes.len()));
        guests[at].session.receive(front);
        guests[at].session.receive(back);
        if random.below(20) == 0 {
            house.clock.advance(Duration::from_millis(random.below(2000) as u64));
        }
        for guest in &mut guests {
            guest.session.wake();
            guest.session.take_output();
            guest.session.check();
        }
        if guests[at].session.is_done() || random.below(500) == 0 {
            guests[at] = house.guest();
        }
        assert_eq!(house.face.clients(), guests.len());
    }
}

#[test]
fn a_session_can_be_moved_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Session>();
    is_send::<Face>();
}

#[test]
fn idle_times_are_exact_and_asking_is_no_use() {
    let house = House::new();
    let mut guest = house.guest();
    guest.say("SET a 1\nRPUSH l x y");
    house.clock.advance(Duration::from_secs(100));
    let idle = "OBJECT IDLETIME a\nOBJECT IDLETIME l";
    assert_eq!(guest.say(idle), ":100|:100");
    guest.say("TYPE a\nEXISTS a l\nTTL a\nOBJECT ENCODING a\nOBJECT REFCOUNT l\nMEMORY USAGE a");
    assert_eq!(guest.say(idle), ":100|:100");
    guest.say("CLIENT NO-TOUCH ON\nGET a\nLRANGE l 0 -1");
    assert_eq!(guest.say(idle), ":100|:100");
    guest.say("TOUCH l\nCLIENT NO-TOUCH OFF\nGET a");
    assert_eq!(guest.say(idle), ":0|:0");
    house.clock.advance(Duration::from_secs(7));
    assert_eq!(
        guest.say("MULTI\nLPUSH l z\nOBJECT IDLETIME a\nEXEC"),
        "+OK|+QUEUED|+QUEUED|*2|:3|:7"
    );
    assert_eq!(guest.say(idle), ":7|:0");
    // To watch is no use, but to try to change is one.
    guest.say("WATCH a\nUNWATCH");
    assert_eq!(guest.say("OBJECT IDLETIME a"), ":7");
    assert_eq!(guest.say("SETNX a 2\nOBJECT IDLETIME a"), ":0|:0");
    assert_eq!(guest.say("OBJECT IDLETIME none\nOBJECT FREQ none"), "$-1|$-1");
    assert!(
        guest.say("OBJECT FREQ a").starts_with("-ERR An LFU maxmemory policy is not selected,")
    );
}

#[test]
fn what_was_there_before_the_first_client_is_idle_since_it_came() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    for number in 0..2000 {
        store.kv().set(number.to_string(), "v").unwrap();
        store.list(&format!("l{number}")).push_back(number).unwrap();
    }
    clock.advance(Duration::from_secs(5));
    let house = House { face: Face::new(&store, FaceOptions::default()), clock };
    let mut guest = house.guest();
    house.clock.advance(Duration::from_secs(3));
    assert_eq!(guest.say("OBJECT IDLETIME 7\nOBJECT IDLETIME l7"), ":3|:3");
    assert_eq!(guest.say("GET 7\nOBJECT IDLETIME 7"), "$1|v|:0");
    assert_eq!(store.keys().idle_time("l7"), Ok(Some(Duration::from_secs(3))));
    for (_, shard) in store.databases().shards() {
        shard.read().check(store.databases().hasher());
    }
}

#[test]
fn uses_are_counted_under_a_policy_by_frequency() {
    let house = House::new();
    let mut guest = house.guest();
    guest.say("SET a 1\nCONFIG SET maxmemory-policy allkeys-lfu");
    assert_eq!(guest.say("OBJECT FREQ a"), ":5");
    assert!(
        guest.say("OBJECT IDLETIME a").starts_with("-ERR An LFU maxmemory policy is selected,")
    );
    // The first use above what an entry begins with counts for certain.
    assert_eq!(guest.say("GET a\nOBJECT FREQ a"), "$1|1|:6");
    house.clock.advance(Duration::from_secs(4 * 60));
    assert_eq!(guest.say("OBJECT FREQ a\nOBJECT FREQ a"), ":2|:2");
    guest.say("CONFIG SET lfu-log-factor 0");
    assert_eq!(guest.say("GET a\nGET a\nGET a\nOBJECT FREQ a"), "$1|1|$1|1|$1|1|:5");
}

#[test]
fn a_restored_key_was_used_as_it_is_said() {
    let house = House::new();
    let mut guest = house.guest();
    guest.say("SET a 1");
    guest.session.execute(&[b"DUMP", b"a"]);
    let reply = guest.session.take_output();
    let begin = reply.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let payload = &reply[begin..reply.len() - 2];
    guest.session.execute(&[b"RESTORE", b"b", b"0", payload, b"IDLETIME", b"1000"]);
    assert_eq!(guest.say("OBJECT IDLETIME b"), "+OK|:1000");
    let longer_than_can_be_told = b"1000000000";
    guest.session.execute(&[b"RESTORE", b"d", b"0", payload, b"IDLETIME", longer_than_can_be_told]);
    assert_eq!(guest.say("OBJECT IDLETIME d"), "+OK|:10144256");
    guest.say("CONFIG SET maxmemory-policy volatile-lfu");
    guest.session.execute(&[b"RESTORE", b"c", b"0", payload, b"FREQ", b"200"]);
    assert_eq!(guest.say("OBJECT FREQ c"), "+OK|:200");
}

#[test]
fn integers_that_redis_shares_say_so() {
    let mut guest = House::new().guest();
    guest.say("SET a 9999\nSET b 10000\nSET c -1\nSET d x\nSADD e 1");
    let counts = "OBJECT REFCOUNT a\nOBJECT REFCOUNT b\nOBJECT REFCOUNT c\nOBJECT REFCOUNT d\n\
                  OBJECT REFCOUNT e\nOBJECT REFCOUNT f";
    assert_eq!(guest.say(counts), ":2147483647|:1|:1|:1|:1|$-1");
}

#[test]
fn hits_and_misses_are_what_clients_looked_up_to_read() {
    let house = House::new();
    let mut guest = house.guest();
    let lookups = |guest: &mut Guest| {
        let info = guest.say("INFO stats");
        let value = |name: &str| {
            let value = info.split('|').find_map(|line| line.strip_prefix(name));
            value.unwrap().parse::<u64>().unwrap()
        };
        (value("keyspace_hits:"), value("keyspace_misses:"))
    };
    guest.say("SET a 1\nINCR a\nAPPEND b x\nDEL c");
    assert_eq!(lookups(&mut guest), (0, 0));
    guest.say("GET a\nMGET a b c\nEXISTS a c c\nHGET h f\nGETDEL b\nSINTER s1 s2");
    assert_eq!(lookups(&mut guest), (5, 6));
    guest.say("MULTI\nGET a\nGET c\nEXEC");
    assert_eq!(lookups(&mut guest), (6, 7));
    house.face.0.store.kv().get("a").unwrap();
    assert_eq!(lookups(&mut guest), (6, 7));
    guest.say("CONFIG RESETSTAT");
    assert_eq!(lookups(&mut guest), (0, 0));
}
