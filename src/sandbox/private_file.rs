//! Files that only their owner can read.

use std::io::{self, Write};
use std::path::Path;

/// Writes a file atomically, readable by its owner only.
pub(super) fn write(path: &Path, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file has restricted permissions from the start, before it has any content.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(contents.as_ref())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
