//! The arguments of `wxpay notify`, `wxpay sign` and `wxpay verify`. Their doc comments are the
//! texts of `--help`.

use std::path::PathBuf;

use clap::Subcommand;

/// Verify or decrypt a captured notification
///
/// FILE is the request as the notify_url received it: the headers, an empty line, and the body
/// byte for byte. For APIv2, the body alone is enough. The notification is printed as JSON, with
/// the resource in plain text.
#[derive(clap::Args)]
pub(super) struct Notify {
    #[command(subcommand)]
    pub(super) command: NotifyCommand,
}

#[derive(Subcommand)]
pub(super) enum NotifyCommand {
    /// Verify the signature, whatever the age of the notification, and print it
    Verify {
        /// The file of the request, or - for standard input
        file: PathBuf,
    },
    /// Print the notification without verifying it; the body alone is enough
    Decrypt {
        /// The file of the request or of its body, or - for standard input
        file: PathBuf,
    },
}

/// Sign a request or a message with the merchant's private key
///
/// For comparison with another program that signs, and for calls with other tools. The key, the
/// merchant ID and the serial number are those of the settings.
#[derive(clap::Args)]
pub(super) struct Sign {
    #[command(subcommand)]
    pub(super) command: SignCommand,
}

#[derive(Subcommand)]
pub(super) enum SignCommand {
    /// Print the Authorization header of a request, and on standard error the message that it signs
    Request {
        /// The HTTP method, such as POST
        method: String,
        /// The path with its query as it is sent, or the whole URL
        url: String,
        /// Sign this file as the body, byte for byte; - is standard input
        #[arg(long, value_name = "FILE")]
        body: Option<PathBuf>,
        /// Sign with this nonce instead of a random one
        #[arg(long, value_name = "TEXT")]
        nonce: Option<String>,
        /// Sign with this timestamp instead of the current time, in seconds since 1970
        #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
        timestamp: Option<i64>,
    },
    /// Print the signature of a message in base64, such as that of payment parameters
    Message {
        /// The file of the message, which is signed byte for byte; - is standard input
        file: PathBuf,
    },
}

/// Verify a signature, and find the mistake if it is not valid
///
/// Reports which part can be wrong: the shape of the message, a missing line feed, the body, the
/// key or the time. The exit code is 6 if the signature is not valid. The keys are those of the
/// settings. For notifications, see also wxpay notify verify.
#[derive(clap::Args)]
pub(super) struct Verify {
    #[command(subcommand)]
    pub(super) command: VerifyCommand,
}

#[derive(Subcommand)]
pub(super) enum VerifyCommand {
    /// Verify a request that a program has signed as this merchant
    Request {
        /// The request: the line POST /v3/... HTTP/1.1, the headers with Authorization, an empty
        /// line, and the body; - is standard input
        file: PathBuf,
    },
    /// Verify a response of WeChat Pay with the platform's key
    Response {
        /// The response: the headers, an empty line, and the body byte for byte, as wxpay req -i
        /// and curl -i print them; - is standard input
        file: PathBuf,
    },
    /// Verify the signature of a message with all keys of the settings
    Message {
        /// The file of the message that should have been signed; - is standard input
        file: PathBuf,
        /// The signature in base64
        #[arg(long, value_name = "BASE64")]
        signature: String,
    },
}
