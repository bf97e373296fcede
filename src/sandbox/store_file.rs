//! Opens the file of the database, and checks it before anything is written to it.
//!
//! redb repairs a damaged file where it can, which may lose the last changes, and panics on some.
//! Therefore a copy in memory is opened and checked first. The file of a damaged database stays as
//! it is.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::{Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Database, DatabaseError, ReadableTable, StorageBackend, TableDefinition};

use super::rows::Table;
use crate::error::{BoxError, Error};

/// A table of rows in JSON.
pub(super) fn definition(table: Table) -> TableDefinition<'static, &'static str, &'static [u8]> {
    TableDefinition::new(table.name())
}

/// A table, a key and a row.
pub(super) type Row = (Table, String, Vec<u8>);

/// Opens the database at `path` and reads its rows, in the order of their keys. It is created if
/// there is neither a database nor `key_file`.
///
/// # Errors
/// The database is damaged, is missing its key file, cannot be read, or is in use.
pub(super) fn open(path: &Path, key_file: &Path) -> Result<(Database, Vec<Row>), Error> {
    let failed = |source: BoxError| {
        Error::config(format!("the sandbox's database {} cannot be used: {source}", path.display())).with_source(source)
    };
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = options.map_err(|source| failed(source.into()))?;
    let mut reader = file.try_clone().map_err(|source| failed(source.into()))?;
    // The lock keeps other sandboxes out of the folder.
    let backend = FileBackend::new(file).map_err(|source| match source {
        DatabaseError::DatabaseAlreadyOpen => Error::config(format!(
            "another sandbox is running with this folder (its database is {}): stop it, or use another folder and port (--dir, --port)",
            path.display()
        )),
        source => failed(source.into()),
    })?;
    let mut bytes = Vec::new();
    reader.rewind().and_then(|()| reader.read_to_end(&mut bytes)).map_err(|source| failed(source.into()))?;
    let is_new = bytes.is_empty();
    if is_new && key_file.exists() {
        return Err(Error::config(format!(
            "the sandbox's database {} is empty, but its key file exists: restore the database, or move the folder away to start with a new one",
            path.display()
        )));
    }
    let damaged = || {
        Error::config(format!(
            "the sandbox's database {} is damaged: restore a copy of it, or move the folder away to start with a new one",
            path.display()
        ))
    };
    let rows = match quietly(|| if is_new { Ok(Vec::new()) } else { read_copy(&bytes) }) {
        Some(Ok(rows)) => rows,
        Some(Err(_)) | None => return Err(damaged()),
    };
    if !rows.is_empty() && !key_file.exists() {
        return Err(Error::config(format!(
            "the sandbox's key file {} is missing, but there is a database: restore the key file, or move the folder away to start with a new one",
            key_file.display()
        )));
    }
    match quietly(|| Database::builder().create_with_backend(backend)) {
        Some(Ok(database)) => Ok((database, rows)),
        Some(Err(source)) => Err(failed(source.into())),
        None => Err(damaged()),
    }
}

/// Checks a copy of the database in memory, and reads its rows.
fn read_copy(bytes: &[u8]) -> Result<Vec<Row>, BoxError> {
    let backend = InMemoryBackend::new();
    backend.set_len(bytes.len() as u64)?;
    backend.write(0, bytes)?;
    let mut database = Database::builder().create_with_backend(backend)?;
    if !database.check_integrity()? {
        return Err(redb::StorageError::Corrupted(String::new()).into());
    }
    read_all(&database)
}

fn read_all(database: &Database) -> Result<Vec<Row>, BoxError> {
    // A table exists once it was opened for writing.
    let transaction = database.begin_write()?;
    for table in Table::ALL {
        transaction.open_table(definition(table))?;
    }
    transaction.commit()?;
    let transaction = database.begin_read()?;
    let mut rows = Vec::new();
    for table in Table::ALL {
        for entry in transaction.open_table(definition(table))?.iter()? {
            let (key, value) = entry?;
            rows.push((table, key.value().to_owned(), value.value().to_owned()));
        }
    }
    Ok(rows)
}

thread_local! {
    /// Whether this thread prints no panics.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs code that panics on some files; `None` if it does. The panic is not printed, since an error
/// reports it.
fn quietly<T>(run: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let earlier = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                earlier(panic);
            }
        }));
    });
    QUIET.set(true);
    // What the closure owns is not used after a panic.
    let outcome = catch_unwind(AssertUnwindSafe(run)).ok();
    QUIET.set(false);
    outcome
}
