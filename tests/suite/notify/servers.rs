//! Debian's Redis and PostgreSQL, started on free ports of the loopback interface with folders of
//! their own. They end with the test, also if it is killed.

use std::fs::{self, Permissions};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, mpsc};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// PostgreSQL refuses to run as root. This is the user `nobody`.
const NOBODY: u32 = 65534;

/// The path of a program, or `None` with a message if it is not installed. After `.ci/stores` has
/// installed it, that is a failure.
fn installed(program: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = postgres_folders();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found = folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("WECHATPAY_STORES").is_none(), "{program} is not installed");
        println!("SKIPPED: {program} is not installed (.ci/stores installs it)");
    }
    found
}

/// Debian's folders of PostgreSQL's programs, which are not in the PATH.
fn postgres_folders() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin")).collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("address").port()
}

/// Waits until a server accepts connections, or its process ends.
fn wait_for(port: u16, child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(child.try_wait().expect("status").is_none(), "the server ended");
        assert!(Instant::now() < deadline, "the server does not accept connections");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Spawns a program that is killed when this process ends. The signal is sent when the thread that
/// spawned the program ends, so one thread spawns all of them.
pub(crate) fn spawn(command: Command) -> Child {
    type Request = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: LazyLock<Mutex<mpsc::Sender<Request>>> = LazyLock::new(|| {
        let (sender, receiver) = mpsc::channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, child) in receiver {
                child.send(command.spawn()).expect("the caller waits");
            }
        });
        Mutex::new(sender)
    });
    let (child, receiver) = mpsc::channel();
    SPAWNER.lock().expect("lock").send((command, child)).expect("the thread runs");
    receiver.recv().expect("the thread runs").expect("spawned")
}

/// A program for [`spawn`].
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.expect("kill").success());
}

pub(crate) struct Redis {
    program: PathBuf,
    arguments: Vec<String>,
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Redis {
    /// Starts a server that keeps its data when it is restarted.
    pub(crate) fn start() -> Option<Self> {
        Redis::with(&[])
    }

    pub(crate) fn with(arguments: &[&str]) -> Option<Self> {
        let program = installed("redis-server")?;
        // A server of a cluster also needs the port 10,000 above, and ends without it.
        let port = std::iter::repeat_with(free_port).find(|port| *port < 55_000).expect("a port");
        let folder = TempDir::new().expect("a folder");
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let child = Redis::spawn(&program, port, folder.path(), &arguments);
        let mut redis = Redis { program, arguments, folder, port, child };
        wait_for(port, &mut redis.child);
        Some(redis)
    }

    fn spawn(program: &Path, port: u16, folder: &Path, arguments: &Vec<String>) -> Child {
        let mut command = command(program);
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(folder);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]).args(arguments);
        spawn(command)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn stop(&mut self) {
        signal(&self.child, "-TERM");
        self.child.wait().expect("ended");
    }

    pub(crate) fn start_again(&mut self) {
        self.child = Redis::spawn(&self.program, self.port, self.folder.path(), &self.arguments);
        wait_for(self.port, &mut self.child);
    }

    pub(crate) fn pause(&self) {
        signal(&self.child, "-STOP");
    }

    pub(crate) fn resume(&self) {
        signal(&self.child, "-CONT");
    }

    /// A connection for the test itself.
    pub(crate) fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).expect("url");
        client.get_connection().expect("connected")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Postgres {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Postgres {
    pub(crate) fn start() -> Option<Self> {
        let (program, initdb) = (installed("postgres")?, installed("initdb")?);
        let (folder, port) = (TempDir::new().expect("a folder"), free_port());
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("permissions");
        let data = folder.path().join("data");
        let mut init = command(&initdb);
        init.args(["--username", "shop", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "-D"]);
        as_nobody(&mut init, folder.path());
        init.arg(&data);
        assert!(init.status().expect("initdb").success(), "initdb");
        let child = Postgres::spawn(&program, port, folder.path());
        let mut postgres = Postgres { program, folder, port, child };
        postgres.wait_until_ready();
        Some(postgres)
    }

    fn spawn(program: &Path, port: u16, folder: &Path) -> Child {
        let mut command = command(program);
        command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        as_nobody(&mut command, folder);
        spawn(command)
    }

    fn wait_until_ready(&mut self) {
        wait_for(self.port, &mut self.child);
        // It accepts connections before it accepts statements.
        let deadline = Instant::now() + Duration::from_secs(60);
        while crate::support::run(self.try_connect()).is_err() {
            assert!(Instant::now() < deadline, "PostgreSQL is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn restart(&mut self) {
        signal(&self.child, "-INT");
        self.child.wait().expect("ended");
        self.child = Postgres::spawn(&self.program, self.port, self.folder.path());
        self.wait_until_ready();
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://shop@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    async fn try_connect(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        connect(&self.url()).await
    }

    /// A connection for the test itself.
    pub(crate) async fn connect(&self) -> tokio_postgres::Client {
        self.try_connect().await.expect("connected")
    }
}

pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Runs a program as another user, if this process runs as root.
fn as_nobody(command: &mut Command, folder: &Path) {
    let is_root = chown(folder, Some(NOBODY), Some(NOBODY)).is_ok();
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir(folder);
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGQUIT ends the processes of all connections too.
        signal(&self.child, "-QUIT");
        let _ = self.child.wait();
    }
}
