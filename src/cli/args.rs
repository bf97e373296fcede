//! The arguments. Their comments are the text of `--help`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// What the exit codes mean; part of `--help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the answer could not be used: too large, or not what it should be; of wxpay port, something is left to do
  2  arguments, settings or options are wrong, or a file that they name; nothing was sent
  3  no connection; nothing was sent
  4  the outcome is unknown: time ran out, or the connection broke; query before repeating
  5  the service refused: an answer other than 2xx, or a failure in the fields of APIv2
  6  the signature of the answer, or the digest of a file, does not hold
  7  the answer, or standard input or output, could not be read or written
  8  wxpay doctor found something wrong";

/// The settings, in `--help`.
const SETTINGS: &str = "\
Settings come from a TOML file and from the environment, which wins. Secrets are never arguments.
  mchid = \"1900000109\"                                WXPAY_MCHID
  serial = \"3775B6A4...\"                              WXPAY_SERIAL
  private_key = \"file://apiclient_key.pem\"            WXPAY_PRIVATE_KEY
  apiv3_key = \"...\"                                   WXPAY_APIV3_KEY
  secret = \"...\"                                      WXPAY_SECRET, the APIv2 key
  base_uri = \"https://api.mch.weixin.qq.com/\"         WXPAY_BASE_URI
  timeout = 30                                        seconds; also connect_timeout
  proxy = \"http://proxy.example:3128\"                 else HTTPS_PROXY and the like
  root_certificate = \"file://ca.pem\"                  a private authority, besides the usual ones
  [certs]
  PUB_KEY_ID_0119... = \"file://pub_key.pem\"           WXPAY_PLATFORM_KEY_ID and WXPAY_PLATFORM_KEY
  [merchant]                                          the certificate for --security
  cert = \"file://apiclient_cert.pem\"                  or pkcs12 = \"file://apiclient_cert.p12\"
  key = \"file://apiclient_key.pem\"                    and passphrase = \"...\"
A relative file:// path is taken from the folder of the TOML file.";

/// Calls the WeChat Pay OpenAPI from the shell.
#[derive(Parser)]
#[command(name = "wxpay", version, after_help = EXIT_CODES, after_long_help = format!("{SETTINGS}\n\n{EXIT_CODES}"))]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) settings: SettingsFile,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(clap::Args)]
pub(super) struct SettingsFile {
    /// The settings, a TOML file; default WXPAY_CONFIG
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    Req(Req),
    Wire(Wire),
    Certs(Certs),
    Doctor(Doctor),
    Port(Port),
    #[cfg(feature = "sandbox")]
    Sandbox(Sandbox),
}

/// Call an endpoint and print the verified answer
///
/// The path is a template, v3/pay/transactions/id/{id}, or a chain with dots, v3.pay.transactions.id._id_
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Req {
    /// A path, v3/certificates, or a chain, v3.certificates
    pub(super) path: String,
    /// The method; GET, or POST when there is a body
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(super) method: Option<String>,
    /// The JSON body: text, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    pub(super) json: Option<String>,
    /// The fields of APIv2, in JSON: text, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", conflicts_with = "json")]
    pub(super) xml: Option<String>,
    /// Present the merchant's certificate, as some endpoints of APIv2 demand
    #[arg(long)]
    pub(super) security: bool,
    /// A part of the query; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) query: Vec<String>,
    /// A variable of the path; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) var: Vec<String>,
    /// A header; may be given many times
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub(super) header: Vec<String>,
    /// A file to upload
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "xml"])]
    pub(super) upload: Option<PathBuf>,
    /// The meta of the upload, in JSON; the default has filename and sha256
    #[arg(long, value_name = "JSON", requires = "upload")]
    pub(super) meta: Option<String>,
    /// Write the answer's body to this file, complete or not at all
    #[arg(long, value_name = "FILE")]
    pub(super) sink: Option<PathBuf>,
    /// The time for the whole call, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub(super) timeout: Option<f64>,
    /// Print the exchange to standard error, secrets left out
    #[arg(short, long)]
    pub(super) debug: bool,
}

/// Print what would be sent, without sending it
///
/// Reads JSON Lines on standard input: {"method": "POST", "template": "v3/x/{y}", "options": {...}}, or "chain": ["v3", "x", "_y_"]
/// in place of the template; a line may carry its own "mchid". Writes a line for each: {"method", "uri", "target", "headers",
/// "body"}, or {"error": {"kind", "message"}}; an "id" in a line comes back in its answer. A line that is wrong does not change
/// the exit code. A body that is no UTF-8 is written as "body_base64". Host and Content-Length
/// follow from uri and body and are left out.
#[derive(clap::Args)]
pub(super) struct Wire {
    /// Leave the signature out; then no settings are needed
    #[arg(long)]
    pub(super) unsigned: bool,
    /// Sign with this nonce instead of a random one
    #[arg(long, value_name = "TEXT", conflicts_with = "unsigned")]
    pub(super) nonce: Option<String>,
    /// Sign with this time instead of now, in seconds since 1970
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, conflicts_with = "unsigned")]
    pub(super) timestamp: Option<i64>,
}

/// Check settings, keys, clock, connection and signatures, and say what is wrong
///
/// Ends with a signed call to v3/security/echo. The exit code is 8 when a check failed.
#[derive(clap::Args)]
pub(super) struct Doctor {
    /// Make no call
    #[arg(long)]
    pub(super) offline: bool,
    /// Print a JSON array of check, outcome (ok, warning, failed, skipped) and said
    #[arg(long)]
    pub(super) json: bool,
}

/// Carry PHP code that uses wechatpay-php over to Rust that uses this crate
///
/// Reads a PHP file and writes a whole Rust program. Chains, options, promises, exceptions and the SDK's classes are carried over, and
/// of PHP what such code is made of. What is not becomes a todo!() below a comment with the PHP, and is listed at the end with its
/// lines; the exit code is then 1. The program needs the crates wechatpay-chain and serde_json. Where rustfmt is installed it
/// formats the program.
///
///   wxpay port pay.php > src/main.rs
///
///   wxpay port --check pay.php
#[derive(clap::Args)]
pub(super) struct Port {
    /// A PHP file, or - for standard input
    #[arg(default_value = "-", value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Write no Rust, only the list of what would be left
    #[arg(long)]
    pub(super) check: bool,
}

/// Download the platform's certificates as PEM files
///
/// Prints the serial number and the validity of each. The options are those of PHP's CertificateDownloader, but for its key: the
/// APIv3 key is a secret and comes from the settings.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Certs {
    /// The merchant id
    #[arg(short, long, value_name = "ID")]
    pub(super) mchid: Option<String>,
    /// The serial number of the merchant certificate
    #[arg(short, long, value_name = "HEX")]
    pub(super) serialno: Option<String>,
    /// The merchant's private key, a path
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(super) privatekey: Option<PathBuf>,
    /// Where the files go
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(super) output: PathBuf,
    /// Where calls go
    #[arg(short = 'u', long, value_name = "URL")]
    pub(super) baseuri: Option<String>,
}

/// Run a local WeChat Pay that verifies requests and answers signed, or do something to a running one
///
/// Keeps keys and state in DIR, and writes the settings of its merchant there: wxpay.toml for the other commands (--config), and
/// files for other SDKs. Its address is also a page for a browser.
#[cfg(feature = "sandbox")]
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(super) struct Sandbox {
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 8090)]
    pub(super) port: u16,
    /// Sign with a platform certificate, as for a merchant in platform-certificate mode
    #[arg(long)]
    pub(super) certificates: bool,
    /// Where keys, state and settings are kept; default wxpay-sandbox, and for what is done to a running one the folder of --config
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) dir: Option<PathBuf>,
    /// Print the settings as one line of JSON once it listens, for scripts
    #[arg(long)]
    pub(super) json: bool,
    /// Answers for endpoints that it does not know: JSON Lines of method, template, status, response
    #[arg(long, value_name = "FILE")]
    pub(super) stubs: Option<PathBuf>,
    /// Shorten the pauses between the deliveries of a notification by this factor
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(super) speed: f64,
    /// Send notifications to other machines, too
    #[arg(long)]
    pub(super) notify_anywhere: bool,
    #[command(subcommand)]
    pub(super) act: Option<Act>,
}

/// What is done to a running sandbox.
#[cfg(feature = "sandbox")]
#[derive(Subcommand)]
pub(super) enum Act {
    /// Pay an order, or a combined one, and notify its notify_url
    Pay { out_trade_no: String },
    /// Give back an order, or so many fen of it
    Refund { out_trade_no: String, amount: Option<u64> },
    /// Take a merchant transfer, as its user does
    Confirm { out_bill_no: String },
    /// Send a notification again; its id is in the state
    Replay { id: String },
    /// Send a notification with a wrong signature, as the service does to see whether it is refused
    Probe { notify_url: String },
    /// Do to a member card what a user does: ACCEPT_CARD, ACTIVATE_CARD, USERCARD_MANAGE
    Card { card_id: String, event: String },
    /// Put a fault into the next answers
    ///
    /// wrong-signature, stale-clock, unknown-serial, missing-header or missing-header:NAME, bad-gateway, frequency-limited, system-error,
    /// cut-body or cut-body:BYTES, reset, delay:MILLISECONDS, rotate-key
    Fault {
        fault: String,
        /// Into so many
        #[arg(long, default_value_t = 1)]
        times: u64,
        /// Into notifications instead
        #[arg(long)]
        notifications: bool,
    },
    /// Print account, orders, refunds, transfers, calls and notifications as JSON
    State,
}
