//! The embedded database that persists the state's rows. A response is sent only after the rows of
//! its request are on disk.
//!
//! One thread writes. It commits all waiting changes together (group commit), so that concurrent
//! requests share one flush.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use redb::Database;
use tokio::sync::oneshot;

use super::rows::{Change, RowChange, Table};
use super::store_file::{self, definition};
use crate::error::{BoxError, Error};

/// Writes changed rows to the database, if there is one.
pub(super) struct Store {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    changes: Vec<Change>,
    written: oneshot::Sender<bool>,
}

/// A write that is under way.
#[must_use = "without waiting, the rows may not be on disk yet"]
pub(super) struct PendingWrite(Option<oneshot::Receiver<bool>>);

impl PendingWrite {
    /// Waits until these changes, and all before them, are on disk. Returns whether they are.
    pub(super) async fn written(self) -> bool {
        match self.0 {
            Some(written) => written.await.unwrap_or(false),
            None => true,
        }
    }
}

impl Store {
    /// A store that persists nothing.
    pub(super) fn in_memory() -> Self {
        Store { jobs: None, thread: None }
    }

    /// Opens the database at `path`, passes its rows to `restore` in the order of their keys, and
    /// starts the writing thread. `key_file` belongs to the database.
    ///
    /// # Errors
    /// The database cannot be used, another process uses it, or `restore` fails.
    pub(super) fn open(
        path: &Path,
        key_file: &Path,
        mut restore: impl FnMut(Table, &str, &[u8]) -> Result<(), String>,
    ) -> Result<Self, Error> {
        let failed = |source: BoxError| {
            Error::config(format!("the sandbox's database {} cannot be used: {source}", path.display()))
                .with_source(source)
        };
        let (database, rows) = store_file::open(path, key_file)?;
        for (table, key, row) in rows {
            restore(table, &key, &row).map_err(|reason| failed(format!("row {key:?}: {reason}").into()))?;
        }
        let (jobs, receiver) = mpsc::channel();
        let thread = thread::Builder::new().name("wechatpay-store".to_owned()).spawn(move || run(&database, &receiver));
        Ok(Store { jobs: Some(jobs), thread: Some(thread.map_err(|source| failed(source.into()))?) })
    }

    /// Begins to write changes. Writes are made in the order of the calls.
    pub(super) fn write(&self, changes: Vec<Change>) -> PendingWrite {
        let Some(jobs) = &self.jobs else { return PendingWrite(None) };
        let (written, receiver) = oneshot::channel();
        // If the thread has ended, the sender is dropped here and the receiver reports the failure.
        let _ = jobs.send(Job { changes, written });
        PendingWrite(Some(receiver))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It writes what is still in the channel.
            let _ = thread.join();
        }
    }
}

fn run(database: &Database, jobs: &Receiver<Job>) {
    let mut broken = false;
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter());
        let has_changes = batch.iter().any(|job| !job.changes.is_empty());
        if has_changes && !broken {
            if let Err(error) = commit(database, &batch) {
                // The state in memory is ahead of the database from now on, so no later write may
                // succeed.
                broken = true;
                let message = format!(
                    "wxpay: the sandbox's database cannot be written ({error}); the sandbox sends no more responses, restart it\n"
                );
                let _ = std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes());
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
        match &change.row {
            RowChange::Write(row) => drop(table.insert(change.key.as_str(), row.as_slice())?),
            RowChange::Delete => drop(table.remove(change.key.as_str())?),
        }
    }
    transaction.commit()?;
    Ok(())
}
