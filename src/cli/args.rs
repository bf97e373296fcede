//! The command-line arguments. Their doc comments are the texts of `--help`; `help.rs` adds the
//! sections below the options.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(super) use super::args_signatures::{Notify, NotifyCommand, Sign, SignCommand, Verify, VerifyCommand};

/// Call any endpoint of WeChat Pay from the shell: sign each request and verify each response
#[derive(Parser)]
#[command(name = "wxpay", version)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(clap::Args)]
pub(super) struct ConfigArgs {
    /// Read the settings from this TOML file; default: the file that WXPAY_CONFIG names, or the
    /// next wxpay.toml from the current folder upward
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// When to print in colour: on a terminal (auto), always or never; NO_COLOR has the effect of
    /// never
    #[arg(long, value_name = "WHEN", global = true, value_enum, default_value_t = Color::Auto, hide_default_value = true)]
    pub(super) color: Color,
}

/// When to print in colour.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub(super) enum Command {
    Req(Req),
    Bill(Bill),
    Wire(Wire),
    Certs(Certs),
    Notify(Notify),
    Sign(Sign),
    Verify(Verify),
    Doctor(Doctor),
    Port(Port),
    Api(Api),
    #[cfg(feature = "sandbox")]
    Sandbox(Sandbox),
    Completions(Completions),
    /// Print the manual page, which covers all commands
    ///
    /// The page is written in roff, the format that man displays.
    Man,
}

/// The headings of options in `wxpay req --help`.
const REQUEST: &str = "Request";
const BODY: &str = "Request body";
const RESPONSE: &str = "Response";

/// Call an endpoint and print the verified response
///
/// PATH is a template such as v3/pay/transactions/id/{id}, or a chain with dots such as
/// v3.pay.transactions.id._id_ (camelCase becomes kebab-case). The response body goes to standard
/// output, JSON with indentation. Everything else goes to standard error.
#[derive(clap::Args)]
pub(super) struct Req {
    /// The path, v3/pay/transactions/id/{id}, or the chain, v3.pay.transactions.id._id_
    pub(super) path: String,
    /// Use this HTTP method; default: POST for a request with a body, otherwise GET
    #[arg(help_heading = REQUEST, short = 'X', long, value_name = "METHOD")]
    pub(super) method: Option<String>,
    /// Set a path variable, such as --var id=42 for {id}; can be repeated
    #[arg(help_heading = REQUEST, long, value_name = "NAME=VALUE")]
    pub(super) var: Vec<String>,
    /// Add a query parameter, given unencoded; can be repeated
    #[arg(help_heading = REQUEST, long, value_name = "NAME=VALUE")]
    pub(super) query: Vec<String>,
    /// Add a request header; can be repeated
    #[arg(help_heading = REQUEST, short = 'H', long, value_name = "NAME: VALUE")]
    pub(super) header: Vec<String>,
    /// Send this JSON body; JSON is the text itself, @FILE, or - for standard input
    #[arg(help_heading = BODY, long, value_name = "JSON", group = "request_body")]
    pub(super) json: Option<String>,
    /// Encrypt the fields of the JSON body that are documented as encrypted
    ///
    /// Without this option, a call with such a field is refused, because the field would be sent as
    /// plain text. An existing ciphertext needs --no-check.
    #[arg(help_heading = BODY, long, requires = "json")]
    pub(super) encrypt: bool,
    /// Send the members of this JSON object as APIv2 fields; JSON is the text itself, @FILE, or -
    /// for standard input
    #[arg(help_heading = BODY, long, value_name = "JSON", group = "request_body")]
    pub(super) xml: Option<String>,
    /// Send this field of a form (application/x-www-form-urlencoded); can be repeated
    #[arg(help_heading = BODY, long, value_name = "NAME=VALUE", group = "request_body")]
    pub(super) form: Vec<String>,
    /// Send this file as the body, byte for byte; - is standard input. Set its type with -H
    #[arg(help_heading = BODY, long, value_name = "FILE", group = "request_body")]
    pub(super) body: Option<PathBuf>,
    /// Upload this file, such as a picture of a business licence
    #[arg(help_heading = BODY, long, value_name = "FILE", group = "request_body")]
    pub(super) upload: Option<PathBuf>,
    /// Send this JSON as the meta part of the upload; default: the file's name and SHA-256
    #[arg(help_heading = BODY, long, value_name = "JSON", requires = "upload")]
    pub(super) meta: Option<String>,
    /// Write the response body to this file, which is created only once the body is complete
    #[arg(help_heading = RESPONSE, long, value_name = "FILE")]
    pub(super) sink: Option<PathBuf>,
    /// Print the status line and the headers before the body, and the body as it was received
    ///
    /// A response whose signature is not valid is printed, too: wxpay verify response finds the
    /// mistake.
    #[arg(help_heading = RESPONSE, short, long, conflicts_with = "sink")]
    pub(super) include: bool,
    /// Limit the time of the whole call, in seconds; 0 means no limit
    #[arg(long, value_name = "SECONDS")]
    pub(super) timeout: Option<f64>,
    /// Repeat the call up to this many times after a connection error, 429 or 5xx; default: the
    /// setting retry, or 0
    ///
    /// The call must have a number of the merchant's that makes a repetition harmless.
    #[arg(long, value_name = "NUMBER")]
    pub(super) retry: Option<u32>,
    /// Present the merchant certificate over TLS, which APIv2 requires for refunds and some other
    /// calls
    #[arg(long)]
    pub(super) security: bool,
    /// Do not compare the call with its documentation
    ///
    /// Without this option, each difference is printed. A call with a misspelled or misplaced
    /// field, a wrong type, or a value that is not listed is not sent. A call with a missing field,
    /// and one that is not documented, is sent.
    #[arg(long)]
    pub(super) no_check: bool,
    /// Print the request and response headers on standard error, with secrets masked
    #[arg(short, long)]
    pub(super) debug: bool,
}

/// Download the bill of a day, check it against its digest, and print its rows
///
/// The trade bill has a row for each payment and each refund. With --account, the fund-flow bill of
/// the account is printed instead. The output is CSV, with the names of the columns in the first
/// line. The summary of the bill goes to standard error. Amounts are in yuan, as in the bill.
/// Nothing is printed if the bill is not complete.
///
/// The bill of a day exists from about 10:00 of the next day, in China's time zone, and only if the
/// day had transactions.
#[derive(clap::Args)]
pub(super) struct Bill {
    /// The day of the bill in China's time zone, such as 2026-11-29, or yesterday, or today
    #[arg(value_name = "DATE")]
    pub(super) date: String,
    /// Choose the rows of the trade bill: all, only payments (SUCCESS), only refunds (REFUND), and
    /// others; default: ALL
    #[arg(long = "type", value_name = "TYPE", value_enum, ignore_case = true, conflicts_with = "account")]
    pub(super) bill_type: Option<BillType>,
    /// Print the fund-flow bill of this account instead of the trade bill
    #[arg(long, value_name = "ACCOUNT", value_enum, ignore_case = true)]
    pub(super) account: Option<Account>,
    /// Print the bill of this sub-merchant, for partners
    #[arg(long, value_name = "ID")]
    pub(super) sub_mchid: Option<String>,
    /// Print one JSON object with the list "rows" and the object "summary"; all values are strings
    #[arg(long)]
    pub(super) json: bool,
    /// Print the rows as CSV, which is the default
    #[arg(long, conflicts_with = "json")]
    pub(super) csv: bool,
    /// Print the bill as WeChat Pay wrote it, decompressed: with backquotes, for spreadsheets
    #[arg(long, conflicts_with_all = ["csv", "json"])]
    pub(super) raw: bool,
    /// Write to this file, which is created or replaced only once the bill is complete
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// The rows of a trade bill.
#[derive(Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum BillType {
    All,
    Success,
    Refund,
    RechargeRefund,
    AllSpecial,
    SucSpecial,
    RefSpecial,
}

/// The account of a fund-flow bill.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
pub(super) enum Account {
    Basic,
    Operation,
    Fees,
    Deposit,
}

/// Print the requests that would be sent, without sending them
///
/// Reads JSON Lines from standard input and writes one line of JSON for each.
///
/// Input: {"method": "POST", "template": "v3/x/{y}", "options": {...}}, or "chain": ["v3", "x",
/// "_y_"] instead of the template. A line can have its own "mchid", and an "id" that is copied to
/// the output.
///
/// Output: {"method", "uri", "target", "headers", "body"}, or {"error": {"kind", "message"}}. An
/// invalid line does not change the exit code. A body that is not valid UTF-8 is written as
/// "body_base64". Host and Content-Length are left out, because they follow from the URI and the
/// body.
#[derive(clap::Args)]
pub(super) struct Wire {
    /// Leave the signature out; then no settings are needed
    #[arg(long)]
    pub(super) unsigned: bool,
    /// Sign with this nonce instead of a random one
    #[arg(long, value_name = "TEXT", conflicts_with = "unsigned")]
    pub(super) nonce: Option<String>,
    /// Sign with this timestamp instead of the current time, in seconds since 1970
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, conflicts_with = "unsigned")]
    pub(super) timestamp: Option<i64>,
}

/// Check the settings, keys, clock, connection and signatures, and explain what is wrong
///
/// Prints one line for each check: ok, warning, FAILED or skipped, with the remedy. The last check
/// is a signed call to v3/security/echo, which changes nothing. The exit code is 8 if a check
/// failed.
#[derive(clap::Args)]
pub(super) struct Doctor {
    /// Make no calls: check only the settings and the keys
    #[arg(long)]
    pub(super) offline: bool,
    /// Print a JSON array of check, outcome (ok, warning, failed, skipped) and message
    #[arg(long)]
    pub(super) json: bool,
}

/// Convert PHP code that uses wechatpay-php to Rust code that uses this crate
///
/// Reads a PHP file and writes a complete Rust program. It converts chains, options, promises,
/// exceptions, the classes of the SDK, and the PHP that such code usually contains. Each piece that
/// it cannot convert becomes a todo!() below a comment with the PHP, and is listed at the end with
/// its line; the exit code is then 1. The program needs the crates wechatpay-chain and serde_json.
/// It is formatted if rustfmt is installed.
#[derive(clap::Args)]
pub(super) struct Port {
    /// The PHP file to convert, or - for standard input; with an option, files and folders
    #[arg(default_value = "-", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Print only the pieces that cannot be converted, on standard output, and no Rust
    #[arg(long)]
    pub(super) check: bool,
    /// Print what the files use of the SDK, with the documented call of each path, and no Rust
    #[arg(long, conflicts_with = "check")]
    pub(super) report: bool,
    /// Extract only the code that uses the SDK, as functions with everything else as parameters
    #[arg(long, conflicts_with = "report")]
    pub(super) calls: bool,
    /// Print the report as JSON
    #[arg(long, requires = "report")]
    pub(super) json: bool,
    /// Write a crate with a module for each file to this new folder, and run cargo check in it
    #[arg(short, long, value_name = "FOLDER", conflicts_with_all = ["check", "report"])]
    pub(super) output: Option<PathBuf>,
    /// The folder with the source of wechatpay-chain; by default, the published version
    #[arg(long, value_name = "FOLDER", requires = "output")]
    pub(super) library: Option<PathBuf>,
    /// Do not run cargo check in the crate
    #[arg(long, requires = "output")]
    pub(super) no_check: bool,
}

/// Look up the documented calls, offline
///
/// The catalogue has the path, the fields and the response of each call in the public
/// documentation. It is part of wxpay; WXPAY_CATALOG or the setting catalog names a newer one.
#[derive(clap::Args)]
pub(super) struct Api {
    #[command(subcommand)]
    pub(super) command: ApiCommand,
}

#[derive(Subcommand)]
pub(super) enum ApiCommand {
    /// Search the calls by title, path or field name, in Chinese or English
    ///
    /// Prints the best matches, the best one first. Typing errors are tolerated.
    Search {
        /// The words to search for
        #[arg(required = true, value_name = "WORD")]
        words: Vec<String>,
        /// Print at most this many calls
        #[arg(short, long, value_name = "NUMBER", default_value_t = 10)]
        limit: usize,
    },
    /// Print the fields of a call: types, required fields, listed values, encrypted fields, links
    Show(ApiCall),
    /// Print an example of a call, with placeholders for the values
    Example {
        #[command(flatten)]
        call: ApiCall,
        /// Print it as options in JSON, or as code
        #[arg(short, long, value_enum, default_value_t = Language::Json)]
        lang: Language,
        /// Include the fields that are not required
        #[arg(long)]
        all: bool,
    },
    /// Print Rust types for the request and the response of a call, with serde
    Types(ApiCall),
    /// Print one line for each call
    List {
        /// Print each call with its fields as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Build a catalogue from a checkout of the documentation site
    ///
    /// Reads the Markdown pages in DIR/openapi and DIR/webhook. Each irregular page is listed on
    /// standard error, with what was repaired or left out.
    Import {
        /// The folder with the folders openapi and webhook
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Write the catalogue to this file
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// A documented call.
#[derive(clap::Args)]
pub(super) struct ApiCall {
    /// The HTTP method, such as POST
    pub(super) method: String,
    /// The path, a chain with dots, a path with values, or a URL
    pub(super) path: String,
}

/// The language of an example.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum Language {
    Json,
    Rust,
    Php,
    Curl,
}

/// Download the platform certificates as PEM files
///
/// Prints the serial number and the validity of each certificate. The options are those of PHP's
/// CertificateDownloader, except for the APIv3 key: it is a secret, so it is read from the settings
/// (apiv3_key or WXPAY_APIV3_KEY).
#[derive(clap::Args)]
pub(super) struct Certs {
    /// The merchant ID; default: mchid of the settings
    #[arg(short, long, value_name = "ID")]
    pub(super) mchid: Option<String>,
    /// The serial number of the merchant certificate; default: serial of the settings
    #[arg(short, long, value_name = "HEX")]
    pub(super) serialno: Option<String>,
    /// The file of the merchant's private key; default: private_key of the settings
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(super) privatekey: Option<PathBuf>,
    /// The folder to write the certificates to
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(super) output: PathBuf,
    /// The base URI of WeChat Pay; default: base_uri of the settings, or that of WeChat Pay
    #[arg(short = 'u', long, value_name = "URL")]
    pub(super) baseuri: Option<String>,
}

/// Print a script that completes commands and options in a shell
#[derive(clap::Args)]
pub(super) struct Completions {
    /// The shell that the script is for
    pub(super) shell: clap_complete::Shell,
}

/// Run a local WeChat Pay to test against, or control one that is running
///
/// The sandbox verifies requests and signs responses as WeChat Pay does. Without a command it runs
/// until Ctrl-C. With a command it controls the sandbox that is running. It keeps its keys and its
/// state in DIR. There it also writes the settings of its merchant: wxpay.toml for the other
/// commands (--config), and files for other SDKs. Open its address in a browser to see its state.
#[cfg(feature = "sandbox")]
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(super) struct Sandbox {
    /// Listen on this port of 127.0.0.1, and with TLS on the next; 0 picks free ports
    #[arg(long, default_value_t = 8090)]
    pub(super) port: u16,
    /// Sign with a platform certificate, as for a merchant in platform-certificate mode
    #[arg(long)]
    pub(super) certificates: bool,
    /// The folder of the keys, the state and the settings; default: wxpay-sandbox, or, to control a
    /// running sandbox, the folder of the --config file
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) dir: Option<PathBuf>,
    /// Print the sandbox's settings as one line of JSON once it is listening, for scripts
    #[arg(long)]
    pub(super) json: bool,
    /// Define responses of endpoints, instead of the sandbox's own: JSON Lines of method, template,
    /// status and response
    #[arg(long, value_name = "FILE")]
    pub(super) stubs: Option<PathBuf>,
    /// Accept requests that differ from the tables of the public documentation, with a warning on
    /// standard error; default: refuse them
    #[arg(long)]
    pub(super) lenient: bool,
    /// Divide the intervals between the deliveries of a notification by this factor
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(super) speed: f64,
    /// Send notifications to other machines too
    #[arg(long)]
    pub(super) notify_anywhere: bool,
    #[command(subcommand)]
    pub(super) control: Option<super::sandbox_control::SandboxControl>,
}
