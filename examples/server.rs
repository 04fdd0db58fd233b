//! A server of its own for clients of Redis: `redis-cli` and every client library can talk to it.
//!
//! Redis: `redis-server --port 6380`. Without an address it listens on a free port of this machine.
//! It ends with Ctrl-C, with `SHUTDOWN`, and when its standard input ends, unless that is a
//! terminal: so what starts it with a pipe need only close the pipe, and
//! `</dev/null` starts and stops it.
//!
//! Run: `cargo run --release --features server --example server -- --port 6380
//! [--bind 0.0.0.0] [--unix /tmp/larder.sock] [--password secret] [--databases 16] [--threads 1]`

use std::error::Error;
use std::io::{self, IsTerminal};
use std::sync::mpsc;
use std::thread;

use larder::Store;
use larder::server::Server;

const USAGE: &str = "server [--port PORT] [--bind ADDRESS] [--unix PATH] [--password PASSWORD] \
                     [--databases COUNT] [--threads COUNT]";

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    let store = Store::builder().databases(options.databases).build();
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
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            port: None,
            bind: "127.0.0.1".into(),
            unix: None,
            password: None,
            databases: 16,
            threads: 1,
        };
        while let Some(option) = words.next() {
            let value = words.next().ok_or(USAGE)?;
            match option.as_str() {
                "--port" => options.port = Some(value.parse()?),
                "--bind" => options.bind = value,
                "--unix" => options.unix = Some(value),
                "--password" => options.password = Some(value),
                "--databases" => options.databases = value.parse()?,
                "--threads" => options.threads = value.parse()?,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}
