//! Archives, results and checkpoints in an object store that refuses requests, loses answers, and
//! is asked by processes that are killed.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use tempfile::TempDir;

/// A server that speaks the protocol of S3, with a bucket `archive`; killed when it is dropped.
pub(crate) struct ObjectStoreServer {
    child: Child,
    address: SocketAddr,
}

impl ObjectStoreServer {
    /// `None`, with a note, where there is no server to start: `.ci/run` installs it.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = std::env::var_os("AIOPS_MOTO_SERVER") else {
            eprintln!("AIOPS_MOTO_SERVER is not set: no object store is used");
            return None;
        };
        // Somebody else may take the port in between, which fails the test and hides nothing.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let store = Self { child, address };
        store.create_bucket();
        Some(store)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn create_bucket(&self) {
        for _ in 0..6_000 {
            if self
                .ask("PUT /archive")
                .is_ok_and(|answer| answer.contains("200 OK"))
            {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        panic!("the object store does not answer");
    }

    /// The answer to a request without a body.
    fn ask(&self, request: &str) -> std::io::Result<String> {
        let request = format!(
            "{request} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        );
        let mut answer = String::new();
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for ObjectStoreServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What lets a process find the store.
pub(crate) fn variables(endpoint: &str) -> [(&str, &str); 5] {
    [
        ("AWS_ENDPOINT", endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]
}

/// How a request fails.
#[derive(Clone, Copy)]
enum Fault {
    None,
    /// The store has too much to do.
    SlowDown,
    /// The store does what it is asked, but the answer is an error.
    LostAnswer,
}

/// A door before the store, at which one request in six fails.
struct FaultyDoor {
    address: SocketAddr,
    n_faults: Arc<AtomicU64>,
    is_closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FaultyDoor {
    fn open(store: &ObjectStoreServer, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (n_faults, is_closed) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let random = Mutex::new(SplitMix64::seed_from_u64(seed));
        let (counted, closed, store) =
            (Arc::clone(&n_faults), Arc::clone(&is_closed), store.address);
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                let fault = match random.lock().unwrap().next_u64() % 12 {
                    0 => Fault::SlowDown,
                    1 => Fault::LostAnswer,
                    _ => Fault::None,
                };
                if !matches!(fault, Fault::None) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                // A process that was killed leaves its connection without an answer.
                std::thread::spawn(move || drop(pass(client, store, fault)));
            }
        });
        Self {
            address,
            n_faults,
            is_closed,
            thread: Some(thread),
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for FaultyDoor {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Hands one request on, and its answer back.
fn pass(client: TcpStream, store: SocketAddr, fault: Fault) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut n_bytes) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_lowercase();
        if let Some(length) = lower.strip_prefix("content-length:") {
            n_bytes = length.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; n_bytes];
    reader.read_exact(&mut body)?;
    let mut answer = vec![];
    if !matches!(fault, Fault::SlowDown) {
        let mut stream = TcpStream::connect(store)?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"Connection: close\r\n\r\n")?;
        stream.write_all(&body)?;
        stream.read_to_end(&mut answer)?;
    }
    let failed = match fault {
        Fault::None => None,
        Fault::SlowDown => Some("503 Slow Down"),
        Fault::LostAnswer => Some("500 Internal Server Error"),
    };
    if let Some(status) = failed {
        answer =
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into();
    }
    (&client).write_all(&answer)
}

/// The shell in a folder, with a store.
struct Shell {
    folder: TempDir,
    endpoint: String,
}

impl Shell {
    fn new(endpoint: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, endpoint }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"));
        command
            .args(arguments)
            .envs(variables(&self.endpoint))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn ask(&self, sql: &str) -> String {
        let output = self.command(&["--format", "csv", "-c", sql]).output();
        succeeded(&output.unwrap())
    }
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Minutes of a log, with a line each ten seconds.
fn log(n_lines: u64) -> String {
    let line = |number: u64| {
        let (minute, second) = (number / 6, number % 6 * 10);
        let (hour, minute) = (minute / 60, minute % 60);
        format!("2020-01-01T{hour:02}:{minute:02}:{second:02}Z ERROR request {number} failed\n")
    };
    (0..n_lines).map(line).collect()
}

/// Counts minutes in the files of `folder`.
fn pipeline(folder: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE logs STORED AS LOG LOCATION 'x.log'
             OPTIONS (pattern '^(?<ts>\\S+) (?<level>[A-Z]+) (?<message>.*)');
         CREATE EXTERNAL TABLE counts (start TEXT, n BIGINT, total BIGINT) STORED AS JSON LOCATION '{folder}';
         INSERT INTO counts SELECT CAST(window_start AS TEXT), count(*), sum(length(message))
             FROM tumble(logs, ts, INTERVAL '1 minute') GROUP BY window_start;"
    )
}

const ALL: &str = "SELECT count(*) AS n_windows, count(DISTINCT start) AS n_starts, sum(n) AS n, sum(total) AS total FROM";

#[test]
fn a_pipeline_in_an_object_store_counts_once_whatever_fails() {
    let Some(store) = ObjectStoreServer::start() else {
        return;
    };
    let door = FaultyDoor::open(&store, 11);
    let shell = Shell::new(door.url());
    shell.write("x.log", &log(240));
    shell.write("here.sql", &pipeline("here/"));
    shell.write("there.sql", &pipeline("s3://archive/there/"));
    let arguments = ["run", "here.sql", "--checkpoint", "checkpoint"];
    succeeded(&shell.command(&arguments).output().unwrap());
    let expected = shell.ask(&format!("{ALL} 'here/'"));

    let arguments = [
        "run",
        "there.sql",
        "--checkpoint",
        "s3://archive/checkpoint",
    ];
    let mut random = SplitMix64::seed_from_u64(5);
    for _ in 0..6 {
        let mut running = shell.command(&arguments).spawn().unwrap();
        let errors = BufReader::new(running.stderr.take().unwrap());
        let n_notes = usize::try_from(random.next_u64() % 8).unwrap();
        let notes: Vec<_> = errors.lines().take(n_notes).collect();
        std::thread::park_timeout(Duration::from_millis(random.next_u64() % 40));
        let _ = running.kill();
        running.wait().unwrap();
        drop(notes);
    }
    succeeded(&shell.command(&arguments).output().unwrap());
    assert_eq!(shell.ask(&format!("{ALL} 's3://archive/there/'")), expected);
    let n_faults = door.n_faults.load(Ordering::Relaxed);
    assert!(n_faults > 20, "{n_faults} faults");
    // Once all is done, the checkpoint is small.
    let listed = store.ask("GET /archive?list-type=2&prefix=checkpoint/ranges");
    let n_ranges = listed.unwrap().matches("<Key>").count();
    assert!(n_ranges <= 3, "{n_ranges} ranges");
}

/// Files of an object store appear when they are whole.
#[test]
fn a_copy_that_is_killed_leaves_no_part_of_a_file_in_an_object_store() {
    let Some(store) = ObjectStoreServer::start() else {
        return;
    };
    let shell = Shell::new(store.url());
    let copy = "COPY (SELECT value, md5(CAST(value AS TEXT)) AS m FROM range(0, 3000000)) TO 's3://archive/big.parquet'";
    for after in [50, 200, 400] {
        let mut running = shell.command(&["-c", copy]).spawn().unwrap();
        std::thread::park_timeout(Duration::from_millis(after));
        let _ = running.kill();
        running.wait().unwrap();
        let listed = store.ask("GET /archive?list-type=2").unwrap();
        if listed.contains("<Key>") {
            let count = shell.ask("SELECT count(*) AS n FROM 's3://archive/big.parquet'");
            assert_eq!(count, "n\n3000000\n");
        }
    }
}
