//! The server over real sockets: what clients send and get, how connections end, and what bad ones
//! cost. Tests named `hostile_..` are the rows of bad inputs that concern a server.

#[path = "common/client.rs"]
mod client;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use client::{Client, PATIENCE, request};
use larder::server::{Address, Server, ServerBuilder};
use larder::{Score, Store};

fn start(settings: impl FnOnce(ServerBuilder) -> ServerBuilder) -> (Store, Server) {
    let store = Store::new();
    let server = settings(Server::builder(&store)).start().expect("a free port");
    (store, server)
}

/// Waits for something that other threads bring about.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn wait_for_clients(server: &Server, count: usize) {
    eventually(&format!("{count} clients"), || server.clients() == count);
}

/// Waits until a call of a client blocks.
fn wait_for_blocked(server: &Server, count: usize) {
    eventually(&format!("{count} blocked clients"), || {
        let mut client = Client::of(server);
        let info = client.call(&["INFO", "clients"]).bulk();
        info.contains(&format!("blocked_clients:{count}\r\n"))
    });
}

/// Runs the test of that name in a process of its own, where nothing else allocates, with limits
/// that a shell sets; answers whether this is another process and the test is done.
#[cfg(target_os = "linux")]
fn ran_alone(name: &str, limits: &str) -> bool {
    const MARK: &str = "LARDER_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return false;
    }
    let program = std::env::current_exe().expect("this program");
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(format!("{limits} exec \"$0\" \"$@\"")).arg(program);
    let status = command.args([name, "--exact", "--nocapture"]).env(MARK, "1").status();
    assert!(status.expect("a process").success(), "{name}, in a process of its own");
    true
}

/// What this process has allocated for data, touched or not.
#[cfg(target_os = "linux")]
fn allocated() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with("VmData:")).expect("VmData");
    let kilobytes = line.split_ascii_whitespace().nth(1).expect("a number");
    kilobytes.parse::<usize>().expect("a number") * 1024
}

/// A thousand, or as many as the process may open with two ends of each.
#[cfg(target_os = "linux")]
fn crowd() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("procfs");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let limit = line.split_ascii_whitespace().nth(3).expect("a number");
    limit.parse::<usize>().map_or(1000, |limit| (limit.saturating_sub(100) / 2).min(1000))
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (store, server) = start(|server| server);
    let mut client = Client::of(&server);
    let (mut requests, mut replies) = (Vec::new(), String::new());
    for number in 1..=20_000 {
        requests.extend_from_slice(&request(&["INCR", "counter"]));
        replies.push_str(&format!(":{number}\r\n"));
    }
    std::thread::scope(|scope| {
        let mut writer = client.0.try_clone().expect("a handle");
        scope.spawn(move || writer.write_all(&requests).expect("the server reads"));
        client.expect(replies);
    });
    assert_eq!(store.kv().get_as::<i64>("counter").unwrap(), Some(20_000));
}

#[test]
fn requests_may_arrive_byte_by_byte() {
    let (_store, server) = start(|server| server);
    let mut client = Client::of(&server);
    let mut requests = request(&["SET", "key", "a\r\nb"]);
    requests.extend_from_slice(&request(&["GET", "key"]));
    requests.extend_from_slice(b"PING\r\n");
    for byte in requests {
        client.send([byte]);
        std::thread::sleep(Duration::from_micros(200));
    }
    client.expect("+OK\r\n$4\r\na\r\nb\r\n+PONG\r\n");
}

#[test]
fn requests_may_be_lines() {
    let (_store, server) = start(|server| server);
    let mut client = Client::of(&server);
    client.send("  SET greeting \"hello\\x20there\"\r\n\r\nGET greeting\n").expect("+OK\r\n");
    client.expect("$11\r\nhello there\r\n");
    client.send("QUIT\r\n").expect("+OK\r\n").expect_closed();
}

#[test]
fn large_values_go_both_ways() {
    let (_store, server) = start(|server| server);
    let mut client = Client::of(&server);
    let value = "0123456789abcdef".repeat(1 << 20);
    client.call(&["SET", "key", &value]).expect("+OK\r\n");
    client.call(&["GET", "key"]);
    assert!(client.bulk() == value, "sixteen megabytes come back as they went");
}

#[test]
fn a_client_that_has_sent_all_still_gets_its_replies() {
    let (store, server) = start(|server| server);
    store.kv().set("key", "x".repeat(100_000)).unwrap();
    let mut client = Client::of(&server);
    for _ in 0..50 {
        client.call(&["GET", "key"]);
    }
    client.close_writing();
    assert_eq!(client.rest().len(), 50 * (100_000 + "$100000\r\n\r\n".len()));
    wait_for_clients(&server, 0);
}

#[test]
fn both_sides_see_the_same_store() {
    let (store, server) = start(|server| server);
    let mut client = Client::of(&server);
    client.call(&["ZADD", "board", "1.5", "ada"]).expect(":1\r\n");
    assert_eq!(store.sorted_set("board").score("ada").unwrap(), Some(1.5));
    store.database(3).unwrap().kv().set("key", "three").unwrap();
    client.call(&["SELECT", "3"]).expect("+OK\r\n").call(&["GET", "key"]).expect("$5\r\nthree\r\n");
}

#[test]
fn a_blocked_client_is_woken_from_this_process() {
    let (store, server) = start(|server| server);
    let mut client = Client::of(&server);
    client.call(&["BZPOPMIN", "queue", "0"]);
    wait_for_blocked(&server, 1);
    store.sorted_set("queue").add("job", 1.0).unwrap();
    client.expect("*3\r\n$5\r\nqueue\r\n$3\r\njob\r\n$1\r\n1\r\n");
    client.call(&["BZPOPMIN", "queue", "0.05"]).expect("*-1\r\n");
}

#[test]
fn each_job_goes_to_one_client() {
    const JOBS: usize = 2000;
    for threads in [1, 3] {
        let (store, server) = start(|server| server.threads(threads));
        let mut workers: Vec<Client> = (0..8).map(|_| Client::of(&server)).collect();
        let mut done: Vec<String> = std::thread::scope(|scope| {
            let work = |client: &mut Client| {
                let mut done = Vec::new();
                loop {
                    client.call(&["BZPOPMIN", "queue", "0"]).expect("*3\r\n$5\r\nqueue\r\n");
                    let job = client.bulk();
                    client.bulk();
                    if job.starts_with("end") {
                        return done;
                    }
                    done.push(job);
                }
            };
            let workers: Vec<_> =
                workers.iter_mut().map(|client| scope.spawn(move || work(client))).collect();
            let queue = store.sorted_set("queue");
            for job in 0..JOBS {
                queue.add(format!("{job:04}"), 1.0).unwrap();
            }
            for end in 0..8 {
                queue.add(format!("end:{end}"), 2.0).unwrap();
            }
            workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
        });
        done.sort();
        let all: Vec<String> = (0..JOBS).map(|job| format!("{job:04}")).collect();
        assert!(done == all, "{} jobs done", done.len());
    }
}

#[test]
fn messages_reach_clients_of_either_protocol() {
    for threads in [1, 3] {
        let (store, server) = start(|server| server.threads(threads));
        let (mut old, mut new) = (Client::of(&server), Client::of(&server));
        old.call(&["SUBSCRIBE", "news"]).expect("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
        new.call(&["HELLO", "3"]);
        while new.line() != "$7" || new.line() != "modules" {}
        new.expect("*0\r\n").call(&["PSUBSCRIBE", "n*"]);
        new.expect(">3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:1\r\n");
        let mut speaker = Client::of(&server);
        speaker.call(&["PUBLISH", "news", "rain"]).expect(":2\r\n");
        assert_eq!(store.publish("news", "sun").unwrap(), 2);
        for payload in ["$4\r\nrain", "$3\r\nsun"] {
            old.expect(format!("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n{payload}\r\n"));
            new.expect(format!(">4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n{payload}\r\n"));
        }
        new.call(&["PING"]).expect("+PONG\r\n");
        old.call(&["PING"]).expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    }
}

#[test]
fn a_monitor_sees_what_others_do() {
    let (_store, server) = start(|server| server);
    let mut monitor = Client::of(&server);
    monitor.call(&["MONITOR"]).expect("+OK\r\n");
    Client::of(&server).call(&["SET", "key", "value"]).expect("+OK\r\n");
    let line = monitor.line();
    assert!(line.starts_with('+') && line.ends_with("\"SET\" \"key\" \"value\""), "{line}");
}

#[test]
fn clients_are_listed_and_killed() {
    let (_store, server) = start(|server| server);
    let (mut first, mut second) = (Client::of(&server), Client::of(&server));
    first.call(&["CLIENT", "SETNAME", "first"]).expect("+OK\r\n");
    second.call(&["PING"]).expect("+PONG\r\n");
    let list = second.call(&["CLIENT", "LIST"]).bulk();
    assert!(list.lines().count() == 2 && list.contains(" name=first "), "{list}");
    let own = format!("addr={} ", first.0.local_addr().unwrap());
    assert!(list.contains(&own), "{own} in {list}");
    let address = first.0.local_addr().unwrap().to_string();
    second.call(&["CLIENT", "KILL", "ADDR", &address]).expect(":1\r\n");
    first.expect_closed();
    wait_for_clients(&server, 1);
}

#[test]
fn clients_need_the_password() {
    let (_store, server) = start(|server| server.password("secret"));
    let mut client = Client::of(&server);
    client.call(&["GET", "key"]).expect("-NOAUTH Authentication required.\r\n");
    client.call(&["AUTH", "wrong"]);
    assert!(client.line().starts_with("-WRONGPASS "));
    client.call(&["AUTH", "secret"]).expect("+OK\r\n").call(&["GET", "key"]).expect("$-1\r\n");
    // Who has not given it may send and cause little.
    Client::of(&server).send("*11\r\n").expect("-ERR Protocol error: unauthenticated").rest();
    let mut mute = Client::of(&server);
    mute.send("*1\r\n$100000\r\n").expect("-ERR Protocol error: unauthenticated bulk").rest();
}

#[test]
fn strangers_are_refused_while_there_is_no_password() {
    let own = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    // Nothing is sent; it only tells by which address others see this machine.
    let address = own.connect("192.0.2.1:9").and_then(|()| own.local_addr());
    let Some(address) = address.ok().filter(|address| !address.ip().is_loopback()) else { return };
    let (_store, server) = start(|server| server.tcp("0.0.0.0:0"));
    let place = (address.ip(), server.tcp_address().unwrap().port());
    let mut stranger = Client(TcpStream::connect(place).expect("a connection"));
    assert!(stranger.rest().starts_with("-DENIED "));
    Client::of(&server).call(&["CONFIG", "SET", "protected-mode", "no"]).expect("+OK\r\n");
    Client(TcpStream::connect(place).expect("a connection")).call(&["PING"]).expect("+PONG\r\n");
}

#[test]
fn one_client_too_many_is_told_so() {
    let (_store, server) = start(|server| server.max_clients(2));
    let (mut first, mut second) = (Client::of(&server), Client::of(&server));
    first.call(&["PING"]).expect("+PONG\r\n");
    second.call(&["PING"]).expect("+PONG\r\n");
    Client::of(&server).expect("-ERR max number of clients reached\r\n").expect_closed();
    drop(first);
    wait_for_clients(&server, 1);
    Client::of(&server).call(&["PING"]).expect("+PONG\r\n");
}

#[test]
fn idle_clients_are_closed_if_so_configured() {
    let (_store, server) = start(|server| server.threads(2));
    let (mut idle, mut listening) = (Client::of(&server), Client::of(&server));
    listening.call(&["SUBSCRIBE", "news"]).expect("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    Client::of(&server).call(&["CONFIG", "SET", "timeout", "1"]).expect("+OK\r\n");
    idle.expect_closed();
    wait_for_clients(&server, 1);
    // Who listens may be idle.
    listening.call(&["PING"]).expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n");
}

/// The kernel lists what each socket waits for: 2 is to ask a silent peer whether it is there.
#[cfg(target_os = "linux")]
#[test]
fn silent_clients_are_asked_whether_they_are_there() {
    let (_store, server) = start(|server| server);
    let asks = |client: &Client| {
        let port = |address: std::net::SocketAddr| format!("{:04X}", address.port());
        let peer = port(client.0.local_addr().expect("an address"));
        let own = port(server.tcp_address().expect("TCP"));
        let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
        let line = table.lines().find(|line| {
            let mut ends = line.split_whitespace().skip(1);
            let mut end_is = |port: &str| ends.next().is_some_and(|end| end.ends_with(port));
            end_is(&own) && end_is(&peer)
        });
        let timer = line.and_then(|line| line.split_whitespace().nth(5)).expect("the socket");
        timer.starts_with("02:")
    };
    let mut first = Client::of(&server);
    first
        .call(&["CONFIG", "GET", "tcp-keepalive"])
        .expect("*2\r\n$13\r\ntcp-keepalive\r\n$3\r\n300\r\n");
    eventually("the first is asked", || asks(&first));
    first.call(&["CONFIG", "SET", "tcp-keepalive", "0"]).expect("+OK\r\n");
    let mut second = Client::of(&server);
    second.call(&["PING"]).expect("+PONG\r\n");
    eventually("the second is not", || !asks(&second) && asks(&first));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("larder-{}-{name}.sock", std::process::id()))
    }

    #[test]
    fn a_unix_socket_serves_and_is_removed() {
        let path = path("serves");
        let (_store, server) = start(|server| server.unix(&path));
        assert_eq!(server.addresses(), [Address::Unix(path.clone())]);
        assert_eq!(server.url(), format!("redis+unix://{}", path.display()));
        let mut client = Client(UnixStream::connect(&path).expect("a connection"));
        client.call(&["PING"]).expect("+PONG\r\n");
        let line = client.call(&["CLIENT", "INFO"]).bulk();
        assert!(line.contains(&format!(" addr={}:0 ", path.display())), "{line}");
        server.stop();
        client.expect_closed();
        assert!(!path.exists());
    }

    #[test]
    fn only_an_abandoned_file_is_replaced() {
        let path = path("abandoned");
        drop(UnixListener::bind(&path).expect("a socket"));
        let (store, server) = start(|server| server.unix(&path));
        let second = Server::builder(&store).unix(&path).start();
        assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(server);
        std::fs::write(&path, "no socket").expect("a file");
        assert!(Server::builder(&store).unix(&path).start().is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "no socket");
        std::fs::remove_file(&path).expect("the file");
    }
}

#[test]
fn a_server_that_cannot_start_says_why_and_leaves_nothing() {
    let (store, server) = start(|server| server);
    let address = server.tcp_address().unwrap().to_string();
    let error = Server::builder(&store).tcp(&address).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&address), "{error}");
    let error = Server::builder(&store).config("no-such-name", "1").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(Server::builder(&store).tcp("no port").start().is_err());
}

#[test]
fn stopping_ends_clients_that_block() {
    for threads in [1, 2] {
        let (store, server) = start(|server| server.threads(threads));
        let mut clients: Vec<Client> = (0..10).map(|_| Client::of(&server)).collect();
        for client in &mut clients {
            client.call(&["BZPOPMIN", "queue", "0"]);
        }
        wait_for_blocked(&server, 10);
        server.stop();
        server.stop();
        clients.iter_mut().for_each(Client::expect_closed);
        store.sorted_set("queue").add("job", 1.0).unwrap();
        assert_eq!(store.sorted_set("queue").len().unwrap(), 1, "nobody takes it any more");
    }
}

#[test]
fn a_client_can_shut_the_server_down() {
    let (store, server) = start(|server| server.threads(2));
    let mut other = Client::of(&server);
    other.call(&["PING"]).expect("+PONG\r\n");
    Client::of(&server).call(&["SHUTDOWN", "NOSAVE"]).expect_closed();
    server.wait();
    other.expect_closed();
    assert!(TcpStream::connect(server.tcp_address().unwrap()).is_err());
    store.kv().set("key", "the store goes on").unwrap();
}

#[test]
fn a_flood_of_requests_delays_others_by_a_turn_only() {
    let (_store, server) = start(|server| server);
    let flood = request(&["SET", "key", "value"]).repeat(2000);
    let flooders: Vec<TcpStream> = (0..4).map(|_| Client::of(&server).0).collect();
    std::thread::scope(|scope| {
        for flooder in &flooders {
            let (mut writer, mut reader) = (flooder, flooder);
            let flood = &flood;
            scope.spawn(move || while writer.write_all(flood).is_ok() {});
            scope
                .spawn(move || while reader.read(&mut [0; 65_536]).is_ok_and(|count| count > 0) {});
        }
        let mut client = Client::of(&server);
        let begun = Instant::now();
        for _ in 0..100 {
            client.call(&["PING"]).expect("+PONG\r\n");
        }
        let mean = begun.elapsed() / 100;
        flooders.iter().for_each(|flooder| flooder.shutdown(Shutdown::Both).expect("open"));
        assert!(mean < Duration::from_millis(200), "{mean:?} a PING");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn clients_are_accepted_again_once_there_are_descriptors() {
    if ran_alone("clients_are_accepted_again_once_there_are_descriptors", "ulimit -n 60;") {
        return;
    }
    let (_store, server) = start(|server| server);
    let address = server.tcp_address().unwrap();
    let mut clients = Vec::new();
    while let Ok(stream) = TcpStream::connect(address) {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        clients.push(Client(stream));
    }
    assert!(clients.len() > 20, "they took all descriptors");
    let served = clients.len() / 3;
    clients.drain(..clients.len() - served);
    for client in &mut clients {
        client.call(&["PING"]).expect("+PONG\r\n");
    }
    wait_for_clients(&server, served);
}

#[cfg(target_os = "linux")]
#[test]
fn idle_connections_cost_little() {
    if ran_alone("idle_connections_cost_little", "") {
        return;
    }
    let (_store, server) = start(|server| server);
    let count = crowd();
    let before = allocated();
    let mut clients: Vec<Client> = (0..count).map(|_| Client::of(&server)).collect();
    let value = "x".repeat(20_000);
    for client in &mut clients {
        client.call(&["SET", "key", &value]).expect("+OK\r\n").call(&["GET", "key"]).bulk();
    }
    let each = allocated().saturating_sub(before) / count;
    assert!(each < 32 * 1024, "{each} bytes for each of {count} connections, buffers freed");
    drop(clients);
    wait_for_clients(&server, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn hostile_04_memory_grows_with_what_arrives() {
    if ran_alone("hostile_04_memory_grows_with_what_arrives", "") {
        return;
    }
    let (_store, server) = start(|server| server);
    let mut client = Client::of(&server);
    client.send("*2147483648\r\n").expect("-ERR Protocol error: invalid multibulk length\r\n");
    client.expect_closed();
    let before = allocated();
    let mut clients: Vec<Client> = (0..100).map(|_| Client::of(&server)).collect();
    for client in &mut clients {
        client.send("*2147483647\r\n$3\r\nSET\r\n");
    }
    Client::of(&server).call(&["PING"]).expect("+PONG\r\n");
    let more = allocated().saturating_sub(before);
    assert!(more < 100 << 20, "{more} bytes for arguments that were announced");
}

#[cfg(target_os = "linux")]
#[test]
fn hostile_05_announced_strings_take_no_memory() {
    if ran_alone("hostile_05_announced_strings_take_no_memory", "") {
        return;
    }
    let (_store, server) = start(|server| server);
    let before = allocated();
    let count = crowd();
    let mut clients: Vec<Client> = (0..count).map(|_| Client::of(&server)).collect();
    for client in &mut clients {
        client.send("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$536870912\r\nbeginning");
    }
    wait_for_clients(&server, count);
    Client::of(&server).call(&["PING"]).expect("+PONG\r\n");
    let more = allocated().saturating_sub(before);
    assert!(more < 200 << 20, "{more} bytes for {count} times 512 MiB announced");
}

#[test]
fn hostile_06_wrong_lengths_end_the_connection() {
    let (_store, server) = start(|server| server);
    let cases = [
        ("*1\r\n$-5\r\n", "invalid bulk length"),
        ("*1\r\n$+3\r\nGET\r\n", "invalid bulk length"),
        ("*1\r\n$ 3\r\nGET\r\n", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n:9223372036854775808\r\n", "expected '$', got ':'"),
        ("*9223372036854775808\r\n", "invalid multibulk length"),
        ("*-\r\n", "invalid multibulk length"),
        ("GET \"key\r\n", "unbalanced quotes in request"),
    ];
    for (bytes, words) in cases {
        let mut client = Client::of(&server);
        // What was well before is answered, what follows is not.
        client.send("PING\r\n").send(bytes).send("PING\r\n");
        client.expect(format!("+PONG\r\n-ERR Protocol error: {words}\r\n")).expect_closed();
    }
    for (start, words) in [
        ("", "too big inline request"),
        ("*", "too big mbulk count string"),
        ("*1\r\n$", "too big bulk count string"),
    ] {
        let mut client = Client::of(&server);
        client.send(start).send("1".repeat(65_600));
        client.expect(format!("-ERR Protocol error: {words}\r\n")).expect_closed();
    }
}

#[test]
fn hostile_07_nested_requests_are_refused() {
    let (_store, server) = start(|server| server);
    let mut client = Client::of(&server);
    client.send("*1\r\n".repeat(10_000));
    client.expect("-ERR Protocol error: expected '$', got '*'\r\n");
    client.rest();
}

#[cfg(target_os = "linux")]
#[test]
fn hostile_08_replies_that_nobody_reads_are_bounded() {
    if ran_alone("hostile_08_replies_that_nobody_reads_are_bounded", "") {
        return;
    }
    let (store, server) = start(|server| server);
    store.kv().set("key", "x".repeat(100_000)).unwrap();
    let before = allocated();
    // Without a limit its requests wait, here and then in the network.
    let mut greedy = Client::of(&server);
    greedy.0.set_nonblocking(true).expect("a mode");
    let requests = request(&["GET", "key"]).repeat(1000);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        let _ = greedy.0.write(&requests);
    }
    let mut other = Client::of(&server);
    other.call(&["PING"]).expect("+PONG\r\n");
    let more = allocated().saturating_sub(before);
    assert!(more < 100 << 20, "{more} bytes wait for a client that does not read");
    // With a limit it is disconnected.
    let limit = "normal 256kb 0 0";
    other.call(&["CONFIG", "SET", "client-output-buffer-limit", limit]).expect("+OK\r\n");
    let mut reader = Client::of(&server);
    reader.send(&requests);
    wait_for_clients(&server, 1);
    other.call(&["PING"]).expect("+PONG\r\n");
}

#[test]
fn hostile_08_a_monitor_that_never_reads_is_disconnected_at_its_limit() {
    let limit = "normal 256kb 0 0";
    let (_store, server) = start(|server| server.config("client-output-buffer-limit", limit));
    let mut mute = Client::of(&server);
    mute.call(&["MONITOR"]).expect("+OK\r\n");
    let mut other = Client::of(&server);
    let long = "x".repeat(50_000);
    let begun = Instant::now();
    while server.clients() > 1 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is still there");
        other.call(&["SET", "key", &long]).expect("+OK\r\n");
    }
    other.call(&["PING"]).expect("+PONG\r\n");
}

#[test]
fn hostile_08_output_over_the_soft_limit_for_too_long() {
    let limit = "pubsub 0 1kb 1";
    let (store, server) = start(|server| server.config("client-output-buffer-limit", limit));
    let mut mute = Client::of(&server);
    mute.call(&["SUBSCRIBE", "news"]).expect("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    store.publish("news", "x".repeat(20 << 20)).unwrap();
    let begun = Instant::now();
    wait_for_clients(&server, 0);
    assert!(begun.elapsed() > Duration::from_millis(900), "it has its second");
}

#[test]
fn hostile_20_a_blocked_client_that_goes_away_takes_nothing_with_it() {
    for threads in [1, 2] {
        let (store, server) = start(|server| server.threads(threads));
        let queue = store.sorted_set("queue");
        let mut killer = Client::of(&server);
        killer.call(&["PING"]).expect("+PONG\r\n");
        for round in 0..20 {
            let mut gone = Client::of(&server);
            let id = gone.call(&["CLIENT", "ID"]).line();
            gone.call(&["BZPOPMIN", "queue", "0"]);
            if round % 3 == 0 {
                // More than a session keeps while it waits.
                gone.send(request(&["PING"]).repeat(7000));
            }
            wait_for_blocked(&server, 1);
            match round % 2 {
                0 => drop(gone),
                _ => {
                    killer.call(&["CLIENT", "KILL", "ID", &id[1..]]).expect(":1\r\n");
                    gone.rest();
                }
            }
            wait_for_clients(&server, 1);
            queue.add("job", 1.0).unwrap();
            assert!(queue.remove("job").unwrap(), "nobody took it");
        }
    }
}

#[test]
fn hostile_20_the_next_waiter_gets_what_a_closed_client_waited_for() {
    let (store, server) = start(|server| server);
    let (mut first, mut second) = (Client::of(&server), Client::of(&server));
    first.call(&["BZPOPMIN", "queue", "0"]);
    wait_for_blocked(&server, 1);
    second.call(&["BZPOPMIN", "queue", "0"]);
    wait_for_blocked(&server, 2);
    drop(first);
    wait_for_blocked(&server, 1);
    store.sorted_set("queue").add("job", Score::new(2.0).unwrap().get()).unwrap();
    second.expect("*3\r\n$5\r\nqueue\r\n$3\r\njob\r\n$1\r\n2\r\n");
}

#[cfg(target_os = "linux")]
/// Filters of events are the caller's, and run on the thread of whoever changes a key.
#[test]
fn hostile_29_a_panic_ends_its_own_connection_only() {
    let (store, server) = start(|server| server.tcp("127.0.0.1:0"));
    let _events = store.events_where(Default::default(), |event| {
        assert_ne!(&*event.key, b"trap", "on purpose");
        true
    });
    let mut bystander = Client::of(&server);
    bystander.call(&["BLPOP", "queue", "0"]);
    wait_for_blocked(&server, 1);
    let mut victim = Client::of(&server);
    victim.send([request(&["PING"]), request(&["SET", "trap", "1"])].concat());
    victim.expect_closed();
    let mut other = Client::of(&server);
    let info = other.call(&["INFO", "stats"]).bulk();
    assert!(info.contains("panicked_connections:1\r\n"), "{info}");
    other.call(&["RPUSH", "queue", "job"]).expect(":1\r\n");
    bystander.expect("*2\r\n$5\r\nqueue\r\n$3\r\njob\r\n");
    other.call(&["SET", "free", "1"]).expect("+OK\r\n");
}

#[test]
fn hostile_30_a_subscriber_that_never_reads_is_disconnected() {
    if ran_alone("hostile_30_a_subscriber_that_never_reads_is_disconnected", "") {
        return;
    }
    let (store, server) = start(|server| server);
    let (mut mute, mut reader) = (Client::of(&server), Client::of(&server));
    let confirmation = "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
    mute.call(&["SUBSCRIBE", "news"]).expect(confirmation);
    reader.call(&["SUBSCRIBE", "news"]).expect(confirmation);
    let before = allocated();
    let payload = "x".repeat(1 << 20);
    let wanted = format!("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1048576\r\n{payload}\r\n");
    for _ in 0..64 {
        store.publish("news", payload.as_str()).unwrap();
        reader.expect(&wanted);
    }
    // Thirty-two megabytes are the limit of a subscriber.
    wait_for_clients(&server, 1);
    let more = allocated().saturating_sub(before);
    assert!(more < 200 << 20, "{more} bytes are kept");
}
