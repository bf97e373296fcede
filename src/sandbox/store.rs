//! What survives a restart: the rows of the books in an embedded store, written before anything of them is answered.
//!
//! A thread of its own writes; all that waits is written at once, so that many calls share one flush to the disk.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use redb::{Database, ReadableTable, TableDefinition};
use tokio::sync::oneshot;

use super::books::{Change, TABLES, Table};
use crate::error::{BoxError, Error};

/// A table of rows in JSON.
type Definition = TableDefinition<'static, &'static str, &'static [u8]>;

/// Writes changes, or forgets them where nothing is kept.
pub(super) struct Store {
    sender: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    changes: Vec<Change>,
    written: oneshot::Sender<bool>,
}

fn definition(table: Table) -> Definition {
    let name = TABLES.iter().find(|(known, _)| *known == table).map_or("meta", |(_, name)| name);
    TableDefinition::new(name)
}

impl Store {
    /// A store that keeps nothing.
    pub(super) fn none() -> Self {
        Store { sender: None, thread: None }
    }

    /// Opens the store of a folder, hands its rows out in the order of their keys, and begins to write.
    pub(super) fn open(
        path: &Path,
        mut row: impl FnMut(Table, &str, &[u8]) -> Result<(), String>,
    ) -> Result<Self, Error> {
        let failed = |source: BoxError| {
            Error::config(format!("the sandbox's store {} cannot be used: {source}", path.display()))
                .with_source(source)
        };
        let database = Database::create(path).map_err(|source| match source {
            redb::DatabaseError::DatabaseAlreadyOpen => Error::config(format!(
                "a sandbox runs with this folder already (its store is {}): end it, or use another folder and port, --dir and --port",
                path.display()
            )),
            source => failed(format!("{source}: move the folder away for a new one").into()),
        })?;
        let read = || -> Result<Vec<(Table, String, Vec<u8>)>, BoxError> {
            let transaction = database.begin_write()?;
            for (table, _) in TABLES {
                transaction.open_table(definition(table))?;
            }
            transaction.commit()?;
            let transaction = database.begin_read()?;
            let mut rows = Vec::new();
            for (table, _) in TABLES {
                for entry in transaction.open_table(definition(table))?.iter()? {
                    let (key, value) = entry?;
                    rows.push((table, key.value().to_owned(), value.value().to_owned()));
                }
            }
            Ok(rows)
        };
        for (table, key, value) in read().map_err(failed)? {
            row(table, &key, &value).map_err(|said| failed(format!("row {key:?}: {said}").into()))?;
        }
        let (sender, jobs) = mpsc::channel();
        let thread = thread::Builder::new().name("wechatpay-store".to_owned()).spawn(move || write(&database, &jobs));
        Ok(Store { sender: Some(sender), thread: Some(thread.map_err(|source| failed(source.into()))?) })
    }

    /// Hands changes over; the future is done when they, and all before them, are on the disk. `false`: they are not.
    pub(super) fn keep(&self, changes: Vec<Change>) -> Option<oneshot::Receiver<bool>> {
        let sender = self.sender.as_ref()?;
        let (written, done) = oneshot::channel();
        // Nothing is answered of what could not be written: the receiver sees that the sender is gone.
        let _ = sender.send(Job { changes, written });
        Some(done)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // It writes what is left.
            let _ = thread.join();
        }
    }
}

fn write(database: &Database, jobs: &Receiver<Job>) {
    let mut broken = false;
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter());
        let any = batch.iter().any(|job| !job.changes.is_empty());
        if any && !broken {
            if let Err(error) = commit(database, &batch) {
                // What is in memory is more than what is kept, so that nothing can be answered any more.
                broken = true;
                let said = format!(
                    "wxpay: the sandbox's store cannot be written ({error}); it answers no more, end it and start it again\n"
                );
                let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
            }
        }
        for job in batch {
            let _ = job.written.send(!broken);
        }
    }
}

fn commit(database: &Database, batch: &[Job]) -> Result<(), BoxError> {
    let transaction = database.begin_write()?;
    for change in batch.iter().flat_map(|job| &job.changes) {
        let mut table = transaction.open_table(definition(change.table))?;
        if change.row.is_empty() {
            table.remove(change.key.as_str())?;
        } else {
            table.insert(change.key.as_str(), change.row.as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}
