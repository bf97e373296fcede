//! Where a download goes: a file that appears under its name only when it is complete, or a writer.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::mpsc;

use crate::crypto::file_digest::FileDigest;
use crate::error::{Error, ErrorKind};

/// Told the bytes so far, and the length of the whole where it is known.
pub(crate) type Progress = Box<dyn FnMut(u64, Option<u64>) + Send>;

/// Where a download is to go.
pub(crate) enum Sink {
    Path(PathBuf),
    Writer(Box<dyn Write + Send>),
}

/// A sink that takes bytes, on whatever thread.
pub(crate) struct OpenSink {
    writer: Box<dyn Write + Send>,
    progress: Option<Progress>,
    digests: Vec<FileDigest>,
    written: u64,
}

/// The name that the file is to get, and its place until then; stays with the call. Dropped, it takes the file away at once,
/// whatever the writing thread is still doing.
pub(crate) struct Unfinished(Option<(TempPath, PathBuf)>);

impl Sink {
    /// Opens the sink, before anything is sent: a folder that is not there should not cost a call.
    pub(crate) fn open(
        self,
        progress: Option<Progress>,
        digest: Option<FileDigest>,
    ) -> Result<(OpenSink, Unfinished), Error> {
        let (writer, unfinished): (Box<dyn Write + Send>, _) = match self {
            Sink::Writer(writer) => (writer, None),
            Sink::Path(path) => {
                let failed = |source: io::Error| {
                    Error::options(format!("the option \"sink\": {} cannot be written: {source}", path.display()))
                        .with_source(source)
                };
                let path = regular(&path).map_err(failed)?;
                let file = temporary(&path).map_err(failed)?;
                let (file, temporary) = file.into_parts();
                (Box::new(file), Some((temporary, path)))
            }
        };
        let sink = OpenSink { writer, progress, digests: digest.into_iter().collect(), written: 0 };
        Ok((sink, Unfinished(unfinished)))
    }
}

/// The file that a path means: the target of a link, and never a device or a pipe, which a rename would replace.
fn regular(path: &Path) -> io::Result<PathBuf> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => regular(&std::fs::canonicalize(path)?),
        Ok(found) if found.is_dir() => Err(io::Error::other("it is a folder")),
        Ok(found) if !found.is_file() => Err(io::Error::other("it is no regular file; write to it with Options::sink")),
        _ => Ok(path.to_owned()),
    }
}

fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".wechatpay-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As the file that is replaced, or as any new file: what the umask leaves.
        let existing = std::fs::metadata(path).map(|file| file.permissions());
        builder.permissions(existing.unwrap_or_else(|_| std::fs::Permissions::from_mode(0o666)));
    }
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

impl OpenSink {
    /// Checks a digest of all that is written, at the end.
    pub(crate) fn check(&mut self, digest: FileDigest) {
        self.digests.push(digest);
    }

    /// Writes one piece of an answer that is `total` bytes long, where that is known.
    pub(crate) fn write(&mut self, bytes: &[u8], total: Option<u64>) -> io::Result<()> {
        self.writer.write_all(bytes)?;
        for digest in &mut self.digests {
            digest.update(bytes);
        }
        self.written += bytes.len() as u64;
        if let Some(progress) = &mut self.progress {
            progress(self.written, total);
        }
        Ok(())
    }

    /// Checks the digests of what was written.
    pub(crate) fn finish(self) -> Result<(), Error> {
        for digest in self.digests {
            digest.finish().map_err(|said| {
                Error::new(ErrorKind::Verification, format!("the file is not the one the service announced: {said}"))
            })?;
        }
        Ok(())
    }
}

impl Unfinished {
    /// Gives the file its name. Without this call there is no file.
    pub(crate) fn keep(self) -> Result<(), Error> {
        match self.0 {
            Some((temporary, path)) => temporary.persist(path).map_err(|failed| not_written(failed.error)),
            None => Ok(()),
        }
    }
}

fn not_written(source: io::Error) -> Error {
    Error::new(ErrorKind::Sink, format!("the answer came, but could not be written: {source}")).with_source(source)
}

/// Hands the pieces of an answer to a thread that may block on writing them. Few are under way at a time, so a slow disk slows
/// the connection down and not the runtime, and memory stays bounded.
pub(crate) struct Writing {
    pieces: mpsc::Sender<(Bytes, Option<u64>)>,
    thread: tokio::task::JoinHandle<io::Result<OpenSink>>,
}

impl Writing {
    pub(crate) fn start(mut sink: OpenSink) -> Self {
        let (pieces, mut coming) = mpsc::channel::<(Bytes, Option<u64>)>(4);
        let thread = tokio::task::spawn_blocking(move || {
            while let Some((piece, total)) = coming.blocking_recv() {
                sink.write(&piece, total)?;
            }
            sink.writer.flush()?;
            Ok(sink)
        });
        Writing { pieces, thread }
    }

    /// Queues a piece; `false` when writing has failed, and [`finish`](Self::finish) will tell why.
    pub(crate) async fn write(&mut self, piece: Bytes, total: Option<u64>) -> bool {
        self.pieces.send((piece, total)).await.is_ok()
    }

    /// Waits until all is written, and gives the sink back.
    pub(crate) async fn finish(self) -> Result<OpenSink, Error> {
        drop(self.pieces);
        match self.thread.await {
            Ok(written) => written.map_err(not_written),
            Err(panicked) if panicked.is_panic() => std::panic::resume_unwind(panicked.into_panic()),
            Err(ended) => {
                Err(Error::new(ErrorKind::Sink, "the runtime ended while the answer was written").with_source(ended))
            }
        }
    }
}
