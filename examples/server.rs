//! A server of its own for clients of Redis: `redis-cli` and every client library can talk to it.
//!
//! Redis: `redis-server --port 6380`. Without an address it listens on a free port of this machine.
//! It ends with Ctrl-C, with `SHUTDOWN`, and when its standard input ends, unless that is a
//! terminal: so what starts it with a pipe need only close the pipe, and `</dev/null` starts and
//! stops it.
//!
//! With `--dir` it keeps its data in that folder, in the files of `redis-server --appendonly yes`:
//! either takes over what the other has left.
//!
//! Run: `cargo run --release --features server --example server -- --port 6380
//! [--bind 0.0.0.0] [--unix /tmp/larder.sock] [--password secret] [--databases 16] [--threads 1]
//! [--dir /var/lib/larder] [--appendfsync always|everysec|no]`

use std::error::Error;
use std::io::{self, IsTerminal};
use std::sync::mpsc;
use std::thread;

use larder::Store;
use larder::persist::{Directory, Durability};
use larder::server::Server;

const USAGE: &str = "server [--port PORT] [--bind ADDRESS] [--unix PATH] [--password PASSWORD] \
                     [--databases COUNT] [--threads COUNT] [--dir DIR] [--appendfsync POLICY]";

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    let store = options.open()?;
    let mut builder = Server::builder(&store).threads(options.threads);
    if options.port.is_some() || options.unix.is_none() {
        builder = builder.tcp(format!("{}:{}", options.bind, options.port.unwrap_or(0)));
    }
    #[cfg(unix)]
    if let Some(path) = options.unix {
        builder = builder.unix(path);
    }
    if let Some(password) = options.password {
        builder = builder.password(password);
    }
    let server = builder.start()?;
    for address in server.addresses() {
        println!("listening on {address}");
    }

    let (end, ended) = mpsc::channel();
    let ctrl_c = end.clone();
    // Nobody listens any more if the server ends already.
    ctrlc::set_handler(move || ctrl_c.send("Ctrl-C").unwrap_or(()))?;
    if !io::stdin().is_terminal() {
        let end = end.clone();
        thread::spawn(move || {
            // What is written there means nothing; an error is an end, too.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            end.send("the end of standard input")
        });
    }
    let why = thread::scope(|scope| {
        scope.spawn(|| {
            server.wait();
            end.send("SHUTDOWN").unwrap_or(());
        });
        let why = ended.recv();
        server.stop();
        why
    })?;
    store.close()?;
    println!("stopped by {why}, with {} keys in the first database", store.keys().len()?);
    Ok(())
}

struct Options {
    port: Option<u16>,
    bind: String,
    unix: Option<String>,
    password: Option<String>,
    databases: u16,
    threads: usize,
    folder: Option<String>,
    durability: Durability,
}

impl Options {
    /// The store, with what its folder holds if there is one.
    fn open(&self) -> larder::Result<Store> {
        let builder = Store::builder().databases(self.databases);
        let Some(folder) = &self.folder else { return Ok(builder.build()) };
        let store =
            builder.persistence(Directory::new(folder)).durability(self.durability).open()?;
        if let Some(found) = store.recovery() {
            println!(
                "read {} bytes of {folder} in {:.3} s: a snapshot of {} keys, {} commands since",
                found.bytes,
                found.duration.as_secs_f64(),
                found.snapshot_keys,
                found.commands
            );
            if let Some(torn) = &found.torn {
                println!(
                    "a crash had torn {}: the last {} bytes were set aside ({})",
                    torn.file, torn.lost, torn.reason
                );
            }
        }
        Ok(store)
    }

    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            port: None,
            bind: "127.0.0.1".into(),
            unix: None,
            password: None,
            databases: 16,
            threads: 1,
            folder: None,
            durability: Durability::EverySecond,
        };
        while let Some(option) = words.next() {
            if matches!(option.as_str(), "--help" | "-h") {
                println!("{USAGE}");
                std::process::exit(0);
            }
            let value = words.next().ok_or(USAGE)?;
            match option.as_str() {
                "--port" => options.port = Some(value.parse()?),
                "--bind" => options.bind = value,
                "--unix" => options.unix = Some(value),
                "--password" => options.password = Some(value),
                "--databases" => options.databases = value.parse()?,
                "--threads" => options.threads = value.parse()?,
                "--dir" => options.folder = Some(value),
                "--appendfsync" => options.durability = durability(&value)?,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}

fn durability(name: &str) -> Result<Durability, Box<dyn Error>> {
    match name {
        "always" => Ok(Durability::Always),
        "everysec" => Ok(Durability::EverySecond),
        "no" => Ok(Durability::Never),
        _ => Err(USAGE.into()),
    }
}
