//! A store in PostgreSQL (feature `postgres`).
//!
//! A key has up to two rows. The row that is not done holds the claim: its value is the token. The
//! row that is done holds the value of the completed key. Two rows, because a transaction of the
//! caller's that inserts the second must not block the renewal of the claim.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::sync::{Mutex, oneshot};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row, Transaction};

use super::postgres_statements::{CLAIM, COMPLETE, PURGE, RECORD, RELEASE, SCHEMA, SESSION};
use super::postgres_tls::PostgresTls;
use super::{Claim, ReplayStore, Store};
use crate::crypto::{decode, random};
use crate::error::{BoxError, Error};
use crate::transport::runtime;
use crate::transport::{BoxFuture, tls};

/// The time limit for opening a connection, and for one statement.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long [`PostgresStore::record`] remembers a key, in milliseconds. `complete` replaces it.
const RECORDED: i64 = 48 * 60 * 60 * 1000;

/// A store in a table of PostgreSQL, from version 9.5. Clones are cheap and share one connection.
///
/// The connection is opened when it is first needed, and again after a failure. Times are measured
/// by the server. Rows whose time is over are deleted from time to time. Connect to the server
/// itself, or to a pooler in session mode: a pooler in transaction mode would pass the settings of
/// the store's session on to others.
///
/// [`record`](Self::record) marks a notification as handled in a transaction of the caller's. If
/// the transaction also records the payment, both are committed together, so a notification has its
/// effect once even if processes die and leases are lost.
///
/// ```no_run
/// use wechatpay_chain::notify::{Inbox, Notification};
/// use wechatpay_chain::store::PostgresStore;
/// use wechatpay_chain::store::tokio_postgres::Client;
/// use wechatpay_chain::BoxError;
///
/// # async fn run() -> Result<(), BoxError> {
/// let store = PostgresStore::new("postgres://shop:password@db.example.com/shop?sslmode=require")?;
/// store.create_table().await?;
/// let inbox = Inbox::new(store.clone());
/// # Ok(()) }
///
/// /// A handler of the inbox.
/// async fn paid(
///     store: PostgresStore,
///     database: &mut Client,
///     notification: Notification,
/// ) -> Result<(), BoxError> {
///     let transaction = database.transaction().await?;
///     if store.record(&transaction, &notification.inbox_key()).await? {
///         let order = notification.resource()["out_trade_no"].as_str().unwrap_or_default();
///         let paid = "UPDATE orders SET state = 'paid' WHERE number = $1";
///         transaction.execute(paid, &[&order]).await?;
///     }
///     transaction.commit().await?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    table: Arc<str>,
    server: Arc<Server>,
}

struct Server {
    config: Config,
    tls: PostgresTls,
    /// The connection, and its number.
    connection: Mutex<(u64, Option<Arc<Client>>)>,
}

impl PostgresStore {
    /// Creates a store from a URL or from libpq's `key=value` pairs. It does not connect yet. With
    /// TLS (`sslmode=require`, or by default if the server offers it), the certificate of the
    /// server is verified.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the URL is invalid.
    pub fn new(url: &str) -> Result<Self, Error> {
        // The message must not contain the URL, which may contain a password.
        let invalid =
            |_| Error::config("the URL of PostgreSQL is invalid: use postgres://user:password@host:5432/database");
        let mut config: Config = url.parse().map_err(invalid)?;
        config.connect_timeout(TIMEOUT).tcp_user_timeout(TIMEOUT * 5);
        PostgresStore::with(config, &[], Arc::from("wechatpay_store"))
    }

    fn with(config: Config, roots: &[CertificateDer<'static>], table: Arc<str>) -> Result<Self, Error> {
        let tls = PostgresTls(Arc::new(tls::client_config(roots)?.with_no_client_auth()));
        Ok(PostgresStore { table, server: Arc::new(Server { config, tls, connection: Mutex::default() }) })
    }

    /// Also trusts this root certificate for TLS. `pem` is PEM text, or `file://` followed by a
    /// path.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if it is not a certificate.
    pub fn root_certificate(self, pem: impl AsRef<str>) -> Result<Self, Error> {
        let roots = decode::certificates(pem.as_ref()).map_err(Error::config)?;
        PostgresStore::with(self.server.config.clone(), &roots, self.table)
    }

    /// Sets the name of the table, instead of `wechatpay_store`: lower-case letters, digits and
    /// underscores, with a schema and a dot before it if needed.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the name has other characters.
    pub fn table(self, name: &str) -> Result<Self, Error> {
        let is_name = |part: &str| {
            let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            part.bytes().next().is_some_and(is_letter)
                && part.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
        };
        if name.split('.').count() > 2 || !name.split('.').all(is_name) {
            return Err(Error::config("the table of PostgresStore must be lower-case letters, digits and underscores"));
        }
        Ok(PostgresStore { table: Arc::from(name), ..self })
    }

    fn sql(&self, statement: &str) -> String {
        statement.replace("{table}", &self.table)
    }

    /// Returns the statements that create the table, for a migration.
    #[must_use]
    pub fn schema(&self) -> String {
        let index = format!("{}_until", self.table.rsplit('.').next().unwrap_or_default());
        self.sql(SCHEMA).replace("{index}", &index)
    }

    /// Creates the table, if it does not exist.
    ///
    /// # Errors
    /// Fails if the database is unavailable, or the user may not create tables.
    pub async fn create_table(&self) -> Result<(), BoxError> {
        // Processes that start together wait for each other: concurrent statements with IF NOT
        // EXISTS can fail. The lock ends with the batch, which is one transaction.
        let schema = format!("SELECT pg_advisory_xact_lock(hashtext('{}')); {}", self.table, self.schema());
        self.run(move |client| async move { client.batch_execute(&schema).await }).await
    }

    /// Records a key, such as that of [`Notification::inbox_key`], in a transaction of the
    /// caller's. Returns `false` if it was recorded before; then the transaction must not have its
    /// effect again. If another transaction has recorded the key and is not finished, this waits
    /// for it.
    ///
    /// [`Notification::inbox_key`]: crate::notify::Notification::inbox_key
    ///
    /// # Errors
    /// Fails with the error of the database.
    pub async fn record(&self, transaction: &Transaction<'_>, key: &str) -> Result<bool, tokio_postgres::Error> {
        let key = inbox_key(key);
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&key, Type::TEXT), (&RECORDED, Type::INT8)];
        let changed = transaction.execute_typed(&self.sql(RECORD), &parameters).await?;
        self.purge_sometimes();
        Ok(changed == 1)
    }

    /// Deletes old rows after each 256th change on average, on this store's own connection. Each
    /// purge deletes more rows than 256 changes add.
    fn purge_sometimes(&self) {
        if random::byte() == 0 {
            let purge = self.sql(PURGE);
            let purging = self.run(move |client| async move { client.batch_execute(&purge).await });
            // If it fails, the next one deletes the rows.
            let _ = runtime::spawn_on_background(async move { drop(purging.await) });
        }
    }

    /// Returns the statement of [`record`](Self::record), for other clients of PostgreSQL. Its
    /// parameters are the key of the notification with `inbox:` before it, and how long it is
    /// remembered in milliseconds, a `bigint`. It changes one row if the key is new, otherwise
    /// none.
    #[must_use]
    pub fn record_statement(&self) -> String {
        self.sql(RECORD)
    }

    /// Runs statements on the background runtime, which the connection belongs to. If this future
    /// is dropped, they are withdrawn unless they were sent. A connection that is being opened is
    /// kept, and one that does not respond in time is replaced, whether or not a caller still
    /// waits.
    fn run<T, F>(
        &self,
        statements: impl FnOnce(Arc<Client>) -> F + Send + 'static,
    ) -> impl Future<Output = Result<T, BoxError>> + Send + 'static
    where
        T: Send + 'static,
        F: Future<Output = Result<T, tokio_postgres::Error>> + Send + 'static,
    {
        let server = Arc::clone(&self.server);
        async move {
            let (sender, receiver) = oneshot::channel();
            runtime::spawn_on_background(async move {
                if let Some(result) = server.run(statements, || sender.is_closed()).await {
                    let _ = sender.send(result);
                }
            })?;
            receiver.await?
        }
    }

    /// Runs one statement with parameters of these types.
    fn query(
        &self,
        statement: &str,
        key: String,
        text: Option<String>,
        milliseconds: Option<i64>,
    ) -> impl Future<Output = Result<Vec<Row>, BoxError>> + Send + 'static {
        let statement = self.sql(statement);
        self.run(move |client| async move {
            let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&key, Type::TEXT)];
            if let Some(text) = &text {
                parameters.push((text, Type::TEXT));
            }
            if let Some(milliseconds) = &milliseconds {
                parameters.push((milliseconds, Type::INT8));
            }
            client.query_typed(&statement, &parameters).await
        })
    }
}

impl Server {
    /// Runs statements, or returns `None` if they are withdrawn before they are sent.
    async fn run<T, F>(
        &self,
        statements: impl FnOnce(Arc<Client>) -> F,
        is_withdrawn: impl Fn() -> bool,
    ) -> Option<Result<T, BoxError>>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        let (number, client) = match self.connection(&is_withdrawn).await? {
            Ok(connection) => connection,
            Err(error) => return Some(Err(error)),
        };
        if is_withdrawn() {
            return None;
        }
        let (result, is_broken) = match tokio::time::timeout(TIMEOUT, statements(client)).await {
            Ok(Ok(output)) => return Some(Ok(output)),
            Ok(Err(error)) => (description(&error), is_of_connection(&error)),
            Err(_) => (not_in_time(), true),
        };
        if is_broken {
            let mut current = self.connection.lock().await;
            if current.0 == number {
                current.1 = None;
            }
        }
        Some(Err(result.into()))
    }

    /// The connection and its number. One caller opens it, and the others wait for it.
    async fn connection(&self, is_withdrawn: impl Fn() -> bool) -> Option<Result<(u64, Arc<Client>), BoxError>> {
        let mut current = self.connection.lock().await;
        if let Some(client) = current.1.as_ref().filter(|client| !client.is_closed()) {
            return Some(Ok((current.0, Arc::clone(client))));
        }
        if is_withdrawn() {
            return None;
        }
        let client = match tokio::time::timeout(TIMEOUT, self.connect()).await {
            Ok(Ok(client)) => Arc::new(client),
            Ok(Err(error)) => return Some(Err(description(&error).into())),
            Err(_) => return Some(Err(not_in_time().into())),
        };
        *current = (current.0.wrapping_add(1), Some(Arc::clone(&client)));
        Some(Ok((current.0, client)))
    }

    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        // It ends with the client. Its error is also that of the statements.
        tokio::spawn(async move { drop(connection.await) });
        client.batch_execute(SESSION).await?;
        Ok(client)
    }
}

/// Whether a new connection may succeed: this one is broken, the server is shutting down
/// (class 57P), or it has become read-only after a failover (25006).
fn is_of_connection(error: &tokio_postgres::Error) -> bool {
    error.code().is_none_or(|code| code.code().starts_with("57P") || code.code() == "25006")
}

fn not_in_time() -> String {
    format!("PostgreSQL did not respond within {TIMEOUT:?}")
}

/// The error without its message and details, which can contain values.
fn description(error: &tokio_postgres::Error) -> String {
    match error.code() {
        Some(code) => format!("PostgreSQL responded with SQLSTATE {}", code.code()),
        None => format!("PostgreSQL: {error}"),
    }
}

fn milliseconds(time: Duration) -> Option<i64> {
    // A century is a timestamp that PostgreSQL can represent.
    Some(i64::try_from(time.as_millis()).unwrap_or(i64::MAX).clamp(1, 100 * 365 * 24 * 60 * 60 * 1000))
}

fn inbox_key(key: &str) -> String {
    format!("inbox:{key}")
}

impl Store for PostgresStore {
    fn claim<'a>(&'a self, key: &'a str, token: &'a str, lease: Duration) -> BoxFuture<'a, Result<Claim, BoxError>> {
        let querying = self.query(CLAIM, inbox_key(key), Some(token.to_owned()), milliseconds(lease));
        Box::pin(async move {
            let rows = querying.await?;
            let row = rows.first().ok_or("PostgreSQL returned no row")?;
            Ok(match (row.try_get::<_, Option<String>>(0)?, row.try_get::<_, bool>(1)?) {
                (Some(value), _) => Claim::Done(value),
                (None, true) => Claim::Held,
                (None, false) => Claim::Taken,
            })
        })
    }

    fn complete<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        retention: Duration,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        let completing = self.query(COMPLETE, inbox_key(key), Some(value.to_owned()), milliseconds(retention));
        Box::pin(async move {
            completing.await?;
            self.purge_sometimes();
            Ok(())
        })
    }

    fn release<'a>(&'a self, key: &'a str, token: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        let releasing = self.query(RELEASE, inbox_key(key), Some(token.to_owned()), None);
        Box::pin(async move { releasing.await.map(drop) })
    }
}

impl ReplayStore for PostgresStore {
    fn insert<'a>(&'a self, seen: &'a str, _until: i64) -> BoxFuture<'a, Result<bool, BoxError>> {
        let statement = self.sql(RECORD);
        let (key, retention) = (format!("replay:{seen}"), 2 * crate::proto::verify::MAX_CLOCK_OFFSET * 1000);
        let inserting = self.run(move |client| async move {
            let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&key, Type::TEXT), (&retention, Type::INT8)];
            client.execute_typed(&statement, &parameters).await
        });
        Box::pin(async move {
            let changed = inserting.await?;
            self.purge_sometimes();
            Ok(changed == 1)
        })
    }
}

/// Omits the URL, which may contain a password.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("table", &self.table).finish_non_exhaustive()
    }
}
