//! Sinks of downloads: a file that gets its name only when it is complete, or a writer.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::mpsc;

use crate::crypto::file_digest::FileDigest;
use crate::crypto::gcm_decryptor::GcmDecryptor;
use crate::error::{Error, ErrorKind};
use crate::transport::runtime;
use crate::transport::slot::Slot;

/// Called with the number of bytes received and the length of the whole body, if it is known.
pub(crate) type Progress = Arc<Mutex<dyn FnMut(u64, Option<u64>) + Send>>;

/// The sink in the options of a call.
#[derive(Clone)]
pub(crate) enum Sink {
    Path(PathBuf),
    /// Clones share the writer, and the first call takes it.
    Writer(Slot<Box<dyn Write + Send>>),
}

/// The check of the file in a sink.
pub(crate) struct FileCheck {
    pub(crate) digest: FileDigest,
    /// Decrypts the file. The digest is that of the decrypted file.
    pub(crate) decryptor: Option<GcmDecryptor>,
}

/// A sink that is ready to be written to, on any thread.
pub(crate) struct OpenSink {
    writer: Box<dyn Write + Send>,
    progress: Option<Progress>,
    /// Decrypts the file. The digests are those of the decrypted file.
    decryptor: Option<GcmDecryptor>,
    digests: Vec<FileDigest>,
    received: u64,
}

/// A temporary file and its final name. The call keeps it: dropping it removes the file at once,
/// even while the writing thread is still at work.
pub(crate) struct UnfinishedFile(Option<(TempPath, PathBuf)>);

impl Sink {
    /// Opens the sink. This happens before the request is sent, so that a missing folder is noticed
    /// early.
    pub(crate) fn open(
        self,
        progress: Option<Progress>,
        check: Option<FileCheck>,
    ) -> Result<(OpenSink, UnfinishedFile), Error> {
        let (writer, unfinished): (Box<dyn Write + Send>, _) = match self {
            Sink::Writer(slot) => {
                let used = || {
                    Error::options(
                        "the option \"sink\": the writer was used by another call with a clone of these options: give each call its own",
                    )
                };
                (slot.take().ok_or_else(used)?, None)
            }
            Sink::Path(path) => {
                let failed = |source: io::Error| {
                    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
                    let reason = match folder {
                        Some(folder) => format!("the folder {} does not exist: create it first", folder.display()),
                        None => format!("{} cannot be written: {source}", path.display()),
                    };
                    Error::options(format!("the option \"sink\": {reason}")).with_source(source)
                };
                check_regular(&path).map_err(failed)?;
                let file = temporary(&path).map_err(failed)?;
                let (file, temporary) = file.into_parts();
                (Box::new(file), Some((temporary, path)))
            }
        };
        let (digest, decryptor) = check.map(|check| (check.digest, check.decryptor)).unzip();
        let digests = digest.into_iter().collect();
        let sink = OpenSink { writer, progress, decryptor: decryptor.flatten(), digests, received: 0 };
        Ok((sink, UnfinishedFile(unfinished)))
    }
}

/// Fails if a path names something else than a regular file. A device or a pipe would be replaced,
/// and a symbolic link may be planted by another user of a shared folder. A link that appears later
/// is replaced by the rename, not followed.
fn check_regular(path: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(_) => return Ok(()),
    };
    if found.is_symlink() {
        return Err(io::Error::other("it is a symbolic link: give the path of its target"));
    }
    if found.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    if !found.is_file() {
        return Err(io::Error::other("it is not a regular file: write to it with Options::sink"));
    }
    Ok(())
}

/// Writes a whole file, and replaces an existing one only when it is complete.
#[cfg(feature = "cli")]
pub(crate) fn replace_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    check_regular(path)?;
    let mut file = temporary(path)?;
    file.write_all(contents)?;
    file.persist(path).map(drop).map_err(|failed| failed.error)
}

fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    path.file_name().ok_or_else(|| io::Error::other("it does not name a file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".wechatpay-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The permissions of the file that is replaced, or those of a new file under the umask.
        let existing = std::fs::metadata(path).map(|file| file.permissions());
        builder.permissions(existing.unwrap_or_else(|_| std::fs::Permissions::from_mode(0o666)));
    }
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

impl OpenSink {
    /// Adds a digest, which is checked at the end.
    pub(crate) fn check(&mut self, digest: FileDigest) {
        self.digests.push(digest);
    }

    /// Writes one piece of a response whose length is `total`, if it is known.
    pub(crate) fn write(&mut self, bytes: &[u8], total: Option<u64>) -> io::Result<()> {
        match &mut self.decryptor {
            Some(decryptor) => {
                let text = decryptor.update(bytes).ok_or_else(|| io::Error::other("it is longer than 64 GiB"))?;
                self.write_text(&text)?;
            }
            None => self.write_text(bytes)?,
        }
        self.received += bytes.len() as u64;
        if let Some(progress) = &self.progress {
            (*progress.lock().unwrap_or_else(PoisonError::into_inner))(self.received, total);
        }
        Ok(())
    }

    fn write_text(&mut self, text: &[u8]) -> io::Result<()> {
        self.writer.write_all(text)?;
        for digest in &mut self.digests {
            digest.update(text);
        }
        Ok(())
    }

    /// Writes the last bytes of an encrypted file, and checks its authentication tag and the
    /// digests.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        if let Some(decryptor) = self.decryptor.take() {
            let text = decryptor.finish().ok_or_else(|| {
                Error::new(
                    ErrorKind::Verification,
                    "the file cannot be decrypted: it was changed or is incomplete, or the response with its key is not the one \
                     that announced it",
                )
            })?;
            self.write_text(&text).and_then(|()| self.writer.flush()).map_err(not_written)?;
        }
        for digest in self.digests {
            digest.finish().map_err(|reason| {
                Error::new(
                    ErrorKind::Verification,
                    format!("the file is not the one that the service announced: {reason}"),
                )
            })?;
        }
        Ok(())
    }
}

impl UnfinishedFile {
    /// Gives the file its final name. Without this call no file remains.
    pub(crate) fn keep(self) -> Result<(), Error> {
        match self.0 {
            Some((temporary, path)) => temporary.persist(path).map_err(|failed| not_written(failed.error)),
            None => Ok(()),
        }
    }
}

fn not_written(source: io::Error) -> Error {
    Error::new(ErrorKind::Sink, format!("the response was received and could not be written: {source}"))
        .with_source(source)
}

/// Writes the pieces of a response on a thread that may block. A bounded channel passes the pieces
/// to it, so that a slow disk slows down the connection and not the runtime, and memory stays
/// bounded.
pub(crate) struct SinkWriter {
    pieces: mpsc::Sender<(Bytes, Option<u64>)>,
    thread: tokio::task::JoinHandle<io::Result<OpenSink>>,
}

impl SinkWriter {
    pub(crate) fn start(mut sink: OpenSink) -> Self {
        let (pieces, mut received) = mpsc::channel::<(Bytes, Option<u64>)>(4);
        let thread = runtime::spawn_blocking(move || {
            while let Some((piece, total)) = received.blocking_recv() {
                sink.write(&piece, total)?;
            }
            sink.writer.flush()?;
            Ok(sink)
        });
        SinkWriter { pieces, thread }
    }

    /// Queues a piece. Returns `false` if writing has failed; [`finish`](Self::finish) returns the
    /// error.
    pub(crate) async fn write(&mut self, piece: Bytes, total: Option<u64>) -> bool {
        self.pieces.send((piece, total)).await.is_ok()
    }

    /// Waits until all pieces are written, and returns the sink.
    pub(crate) async fn finish(self) -> Result<OpenSink, Error> {
        drop(self.pieces);
        match self.thread.await {
            Ok(written) => written.map_err(not_written),
            Err(panicked) if panicked.is_panic() => std::panic::resume_unwind(panicked.into_panic()),
            Err(ended) => {
                Err(Error::new(ErrorKind::Sink, "the runtime ended while the response was written").with_source(ended))
            }
        }
    }
}
