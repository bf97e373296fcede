//! The settings of a sandbox.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use super::book::Book;
use super::books::{Books, Table};
use super::keys::{self, Keys};
use super::routes::Stub;
use super::store::Store;
use super::{Sandbox, State, book, home, server};
use crate::error::Error;
use crate::transport::connect::{Connector, Proxy};
use crate::transport::http_client::Transport;

/// The settings of a [`Sandbox`], those of `wxpay sandbox`.
///
/// ```
/// use wechatpay_chain::sandbox::Sandbox;
/// // A day of deliveries in 90 seconds, for a merchant in platform-certificate mode.
/// let sandbox = Sandbox::builder().notification_speed(1000.0).certificates().start()?;
/// # assert_ne!(sandbox.address().port(), 0);
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[must_use = "settings do nothing until start() makes a sandbox of them"]
pub struct SandboxBuilder {
    port: u16,
    dir: Option<PathBuf>,
    certificates: bool,
    speed: f64,
    anywhere: bool,
    /// Whether refused signatures are explained on standard error, and in which words.
    log: Option<fn(&str) -> String>,
    stubs: Vec<Stub>,
    /// The first thing that was wrong.
    error: Option<Error>,
}

impl SandboxBuilder {
    pub(super) fn new() -> Self {
        SandboxBuilder {
            port: 0,
            dir: None,
            certificates: false,
            speed: 1.0,
            anywhere: false,
            log: None,
            stubs: Vec::new(),
            error: None,
        }
    }

    /// The port on 127.0.0.1; 0, the default, picks a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Keeps keys and state in this folder, across restarts. Whatever was answered is there again, even if the process was killed.
    /// Also writes the keys and settings for clients into it.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Signs with a platform certificate, unless a request names the public key: a merchant in platform-certificate mode.
    pub fn certificates(mut self) -> Self {
        self.certificates = true;
        self
    }

    /// Shortens the pauses between the deliveries of a notification by this factor, from 0.001 to 1000000000; 15 s, 15 s, 30 s, 3 min, 10 min,
    /// ... by default.
    pub fn notification_speed(mut self, factor: f64) -> Self {
        self.speed = factor;
        self
    }

    /// Sends notifications to any address. By default only this machine's are told, since a test's data may name real ones.
    pub fn notify_anywhere(mut self) -> Self {
        self.anywhere = true;
        self
    }

    /// Explains each refused signature on standard error.
    pub fn log(self) -> Self {
        self.log_in(str::to_owned)
    }

    /// The same in other words, such as another language's.
    pub(crate) fn log_in(mut self, words: fn(&str) -> String) -> Self {
        self.log = Some(words);
        self
    }

    /// Reads stubs for endpoints that the sandbox does not know: a JSON array, or JSON Lines, of `method`, `template`, `status` and
    /// `response`. A template is written as in a chain, variables as `{x}`.
    ///
    /// ```
    /// # use wechatpay_chain::sandbox::Sandbox;
    /// let sandbox = Sandbox::builder()
    ///     .stubs(r#"[{"method": "GET", "template": "v3/x/{id}", "status": 200, "response": {"a": 1}}]"#)
    ///     .start()?;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    pub fn stubs(mut self, json: &str) -> Self {
        match home::stubs(json) {
            Ok(stubs) => self.stubs.extend(stubs),
            Err(said) => {
                self.error.get_or_insert(Error::config(format!("the stubs: {said}")));
            }
        }
        self
    }

    /// Starts it, on a thread of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): the port is taken, the folder cannot be used or another sandbox uses it, a stub is
    /// wrong.
    pub fn start(self) -> Result<Sandbox, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if !(0.001..=1e9).contains(&self.speed) {
            return Err(Error::config(format!(
                "the notification speed is {}, and must be from 0.001 to 1000000000",
                self.speed
            )));
        }
        let mut books = Books::default();
        let mut deliveries = Vec::new();
        let (keys, store) = match &self.dir {
            None => (keys::of_process()?, Store::none()),
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(|source| {
                    Error::config(format!("the folder {} cannot be made: {source}", dir.display())).with_source(source)
                })?;
                // Whoever has the store has the folder.
                let store = Store::open(&dir.join("sandbox.redb"), |table, key, row| match table {
                    Table::Deliveries => {
                        deliveries.push(serde_json::from_slice(row).map_err(|error| error.to_string())?);
                        Ok(())
                    }
                    table => books.restore(table, key, row),
                })?;
                (Arc::new(Keys::of_folder(&dir.join("sandbox-keys.json"))?), store)
            }
        };
        let mut book = Book::new(books);
        book.restore_deliveries(deliveries);
        (book.speed, book.allow_anywhere, book.stubs) = (self.speed, self.anywhere, self.stubs);
        book.certificates.extend(keys.certificate.clone());
        let transport = Transport::new(Connector::new(&Proxy::Off, &[], Duration::from_secs(5))?);
        let state = Arc::new(State {
            keys,
            book: Mutex::new(book),
            store,
            transport,
            log: self.log.map(server::Log::start),
            panicked: AtomicBool::new(false),
        });
        if self.certificates {
            if state.keys.certificate.is_some() {
                state.book().by_certificate = true;
            } else {
                book::rotate(&state)?;
            }
        }
        let (stop, stopped) = oneshot::channel();
        let ([address, tls_address], thread) = server::start(self.port, Arc::clone(&state), stopped)?;
        let sandbox = Sandbox { state, address, tls_address, stop: Some(stop), thread: Some(thread) };
        if let Some(dir) = &self.dir {
            home::write(&sandbox, dir).map_err(|source| {
                Error::config(format!("the folder {} cannot be written: {source}", dir.display())).with_source(source)
            })?;
        }
        Ok(sandbox)
    }
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxBuilder").field("port", &self.port).field("dir", &self.dir).finish_non_exhaustive()
    }
}
