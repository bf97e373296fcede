//! Why a command fails, and its exit code.

use crate::error::{Error, ErrorKind};

/// The message of a failed command, and its exit code. [`EXIT_CODES`](super::help::EXIT_CODES)
/// lists the codes.
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) message: String,
}

impl Failure {
    /// The arguments or the settings are invalid; nothing was sent.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Failure { code: 2, message: message.into() }
    }

    /// The received data cannot be decoded.
    pub(super) fn decode(message: impl Into<String>) -> Self {
        Failure { code: 1, message: message.into() }
    }

    /// Standard input or output, or a local folder, cannot be read or written.
    pub(super) fn local_io(message: impl Into<String>) -> Self {
        Failure { code: 7, message: message.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Config | ErrorKind::Path | ErrorKind::Options | ErrorKind::Sign => 2,
            ErrorKind::Connect => 3,
            ErrorKind::Timeout | ErrorKind::Transport => 4,
            ErrorKind::ClientError | ErrorKind::ServerError | ErrorKind::Redirect | ErrorKind::Fail => 5,
            ErrorKind::Verification | ErrorKind::Probe | ErrorKind::Replay => 6,
            ErrorKind::Sink => 7,
            ErrorKind::TooLarge | ErrorKind::Decode | ErrorKind::Layer => 1,
        };
        let mut message = error.to_string();
        // The library's messages do not know how the command line takes settings and variables.
        match error.kind() {
            ErrorKind::Config => {
                message.push_str(" (settings are read from --config FILE and WXPAY_... variables, see wxpay --help)")
            }
            ErrorKind::Options | ErrorKind::Path if message.contains("variable") => {
                message.push_str(" (on the command line, give a path variable with --var NAME=VALUE)");
            }
            _ => {}
        }
        Failure { code, message }
    }
}
