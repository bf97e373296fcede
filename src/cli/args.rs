//! The arguments. Their comments are the text of `--help`; what stands below the options is in `help.rs`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Call any endpoint of WeChat Pay from the shell: each request is signed, each answer verified
#[derive(Parser)]
#[command(name = "wxpay", version)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) settings: SettingsFile,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(clap::Args)]
pub(super) struct SettingsFile {
    /// The settings, a TOML file; default: the one that WXPAY_CONFIG names
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
    Completions(Completions),
    /// Print the manual page, in one for all commands
    ///
    /// It is written for man, in the language that roff reads.
    Man,
}

/// The headings of options in `wxpay req --help`.
const REQUEST: &str = "The request";
const BODY: &str = "Its body";
const ANSWER: &str = "The answer";

/// Call an endpoint and print the verified answer
///
/// The path is a template, v3/pay/transactions/id/{id}, or a chain with dots, v3.pay.transactions.id._id_ (camelCase becomes
/// kebab-case). The answer goes to standard output, JSON in a readable layout; everything else to standard error.
#[derive(clap::Args)]
pub(super) struct Req {
    /// A path, v3/pay/transactions/id/{id}, or a chain, v3.pay.transactions.id._id_
    pub(super) path: String,
    /// The method; default: POST where there is a body, else GET
    #[arg(help_heading = REQUEST, short = 'X', long, value_name = "METHOD")]
    pub(super) method: Option<String>,
    /// A variable of the path: --var id=42 for {id}; may be given many times
    #[arg(help_heading = REQUEST, long, value_name = "KEY=VALUE")]
    pub(super) var: Vec<String>,
    /// A parameter of the query, as it is, unencoded; may be given many times
    #[arg(help_heading = REQUEST, long, value_name = "KEY=VALUE")]
    pub(super) query: Vec<String>,
    /// A header; may be given many times
    #[arg(help_heading = REQUEST, short = 'H', long, value_name = "NAME: VALUE")]
    pub(super) header: Vec<String>,
    /// The JSON body: text, @FILE, or - for standard input
    #[arg(help_heading = BODY, long, value_name = "JSON")]
    pub(super) json: Option<String>,
    /// The fields of APIv2, in JSON: text, @FILE, or - for standard input
    #[arg(help_heading = BODY, long, value_name = "JSON", conflicts_with = "json")]
    pub(super) xml: Option<String>,
    /// A file to upload, such as a picture of a licence
    #[arg(help_heading = BODY, long, value_name = "FILE", conflicts_with_all = ["json", "xml"])]
    pub(super) upload: Option<PathBuf>,
    /// The meta of the upload, in JSON; default: filename and sha256
    #[arg(help_heading = BODY, long, value_name = "JSON", requires = "upload")]
    pub(super) meta: Option<String>,
    /// Write the body to this file, complete or not at all
    #[arg(help_heading = ANSWER, long, value_name = "FILE")]
    pub(super) sink: Option<PathBuf>,
    /// The time for the whole call, in seconds; 0 is no limit
    #[arg(long, value_name = "SECONDS")]
    pub(super) timeout: Option<f64>,
    /// Present the merchant's certificate, as some endpoints of APIv2 demand (refunds)
    #[arg(long)]
    pub(super) security: bool,
    /// Print the heads of request and answer on standard error, secrets left out
    #[arg(short, long)]
    pub(super) debug: bool,
}

/// Print what would be sent, without sending it
///
/// Reads JSON Lines on standard input, and writes a line for each.
///
/// Read:    {"method": "POST", "template": "v3/x/{y}", "options": {...}}, or "chain": ["v3", "x", "_y_"] in place of the template.
/// A line may carry its own "mchid", and an "id", which comes back in its answer.
///
/// Written: {"method", "uri", "target", "headers", "body"}, or {"error": {"kind", "message"}}; a line that is wrong does not change the
/// exit code. A body that is no UTF-8 is written as "body_base64". Host and Content-Length follow from uri and body and are left out.
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
/// Prints a line for each check: ok, warning, FAILED or skipped, and what to do. Ends with a signed call to v3/security/echo, which changes
/// nothing. The exit code is 8 when a check failed.
#[derive(clap::Args)]
pub(super) struct Doctor {
    /// Make no call: look at settings and keys alone
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
#[derive(clap::Args)]
pub(super) struct Port {
    /// A PHP file, or - for standard input
    #[arg(default_value = "-", value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Write no Rust: print the list of what would be left on standard output
    #[arg(long)]
    pub(super) check: bool,
}

/// Download the platform's certificates as PEM files
///
/// Prints the serial number and the validity of each. The options are those of PHP's CertificateDownloader, but for its key: the
/// APIv3 key is a secret and comes from the settings, apiv3_key or WXPAY_APIV3_KEY.
#[derive(clap::Args)]
pub(super) struct Certs {
    /// The merchant id; default: the settings' mchid
    #[arg(short, long, value_name = "ID")]
    pub(super) mchid: Option<String>,
    /// The serial number of the merchant's certificate; default: the settings' serial
    #[arg(short, long, value_name = "HEX")]
    pub(super) serialno: Option<String>,
    /// The path of the merchant's private key; default: the settings' private_key
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(super) privatekey: Option<PathBuf>,
    /// The folder where the files go
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(super) output: PathBuf,
    /// Where calls go; default: the settings' base_uri, else the service's own
    #[arg(short = 'u', long, value_name = "URL")]
    pub(super) baseuri: Option<String>,
}

/// Print a script that completes commands and options in a shell
#[derive(clap::Args)]
pub(super) struct Completions {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

/// Run a local WeChat Pay to test against, or act on a running one
///
/// It verifies requests as the service does and answers signed. Without a command it runs until Ctrl-C; with one it acts on the one that
/// runs. Keeps keys and state in DIR, and writes the settings of its merchant there: wxpay.toml for the other commands (--config), and
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
    /// The folder of keys, state and settings; default: wxpay-sandbox, and to act on a running one the folder of --config
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) dir: Option<PathBuf>,
    /// Print its settings as one line of JSON once it listens, for scripts
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
    Pay {
        /// The merchant's number of the order
        out_trade_no: String,
    },
    /// Give back an order, or a part of it
    Refund {
        /// The merchant's number of the order
        out_trade_no: String,
        /// In fen; default: all that is left
        amount: Option<u64>,
    },
    /// Take a merchant transfer, as its user does
    Confirm {
        /// The merchant's number of the transfer
        out_bill_no: String,
    },
    /// Send a notification again
    Replay {
        /// Its id, which wxpay sandbox state shows
        id: String,
    },
    /// Send a notification with a wrong signature, as the service does now and then
    Probe {
        /// Where to
        notify_url: String,
    },
    /// Do to a member card what a user does
    Card {
        /// The card's id
        card_id: String,
        /// ACCEPT_CARD, ACTIVATE_CARD or USERCARD_MANAGE
        event: String,
    },
    /// Put a fault into the next answers
    Fault {
        /// Which
        ///
        /// wrong-signature, stale-clock, unknown-serial, missing-header or missing-header:NAME, bad-gateway, frequency-limited,
        /// system-error, cut-body or cut-body:BYTES, reset, delay:MILLISECONDS, rotate-key
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
