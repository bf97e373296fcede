//! The commands for a running sandbox, and the control calls that they make.

use clap::Subcommand;
use serde_json::{Value, json};

use super::failure::Failure;
use super::sandbox_logs::SandboxLogs;

/// A command for a running sandbox.
#[derive(Subcommand)]
pub(super) enum SandboxControl {
    /// Pay an order or a combined order, as the buyer, and send its notification
    Pay {
        /// The merchant's order number
        out_trade_no: String,
        /// Date the payment this number of days before today, for the bill of that day
        #[arg(long, value_name = "DAYS")]
        days_ago: Option<u32>,
    },
    /// Refund an order, fully or in part
    Refund {
        /// The merchant's order number
        out_trade_no: String,
        /// The amount to refund, in fen; default: everything that has not been refunded yet
        amount: Option<u64>,
    },
    /// Accept a merchant transfer, as the user who receives it
    Confirm {
        /// The merchant's transfer number
        out_bill_no: String,
    },
    /// Close an unpaid order, as WeChat Pay does some time after its time_expire
    Expire {
        /// The merchant's order number, also of a combined order
        out_trade_no: String,
    },
    /// Make the payment of an order fail; its state becomes PAYERROR
    FailPayment {
        /// The merchant's order number
        out_trade_no: String,
    },
    /// Make a merchant transfer fail; the amount returns to the merchant
    FailTransfer {
        /// The merchant's transfer number
        out_bill_no: String,
        /// The documented fail_reason; default: PAYEE_ACCOUNT_ABNORMAL
        reason: Option<String>,
    },
    /// Keep new refunds, profit sharings, and payments with a code in progress
    ///
    /// By default they end at once. Refunds and profit sharings stay PROCESSING, payments with a
    /// code USERPAYING, and deductions ACCEPT.
    Hold {
        /// Payments with a code and deductions only
        #[arg(long)]
        payments: bool,
        /// Refunds only
        #[arg(long)]
        refunds: bool,
        /// Profit sharings only
        #[arg(long)]
        profit_sharings: bool,
        /// Complete new ones at once again
        #[arg(long)]
        off: bool,
    },
    /// End a refund that is held, and send its notification
    EndRefund {
        /// The merchant's refund number
        out_refund_no: String,
        /// The state: SUCCESS, ABNORMAL or CLOSED
        status: String,
    },
    /// End a profit sharing that is held
    EndProfitSharing {
        /// The merchant's number of the profit sharing
        out_order_no: String,
        /// The result of the receivers that have none yet: SUCCESS or CLOSED
        result: String,
        /// Only the receiver with this account
        #[arg(long)]
        account: Option<String>,
        /// The documented fail_reason of CLOSED; default: ACCOUNT_ABNORMAL
        #[arg(long)]
        reason: Option<String>,
        /// Send PROFITSHARING.SUCCESS to this URL
        #[arg(long, value_name = "URL")]
        notify: Option<String>,
    },
    /// Refuse calls above a rate with FREQUENCY_LIMITED; without arguments, end the limit
    Limit {
        /// The number of calls that are accepted in each window
        calls: Option<u64>,
        /// The length of a window, in seconds
        #[arg(long, default_value_t = 1)]
        seconds: u64,
    },
    /// Send a notification again
    Replay {
        /// The ID of the notification, which wxpay sandbox state prints
        id: String,
    },
    /// Send a notification with an invalid signature, as WeChat Pay does from time to time
    Probe {
        /// The URL to send the notification to
        notify_url: String,
    },
    /// Send a documented notification, with plausible values, to any program
    ///
    /// The notification is well formed, encrypted and signed, and has no cause in the sandbox.
    Trigger {
        /// The event, such as REFUND.ABNORMAL or v2/refund-processed; --list prints all
        #[arg(required_unless_present = "list")]
        event: Option<String>,
        /// Print the events and their titles
        #[arg(long, conflicts_with = "event")]
        list: bool,
        /// Send it to this URL; default: the last notify_url that the sandbox was given
        #[arg(long, value_name = "URL")]
        to: Option<String>,
        /// Set a field of the resource, such as amount.refund=30; can be repeated
        #[arg(long, value_name = "PATH=VALUE")]
        set: Vec<String>,
    },
    /// Print the calls and the notifications, and follow them until the sandbox stops
    Logs(SandboxLogs),
    /// Change a member card, as the user who holds it
    Card {
        /// The ID of the card
        card_id: String,
        /// The event to cause: ACCEPT_CARD, ACTIVATE_CARD or USERCARD_MANAGE
        event: String,
    },
    /// Make the bills of today available, which otherwise exist from 10:00 of the next day on
    Bills,
    /// Inject a fault into the next responses or notifications
    Fault {
        /// The fault to inject, such as wrong-signature or delay:MILLISECONDS
        ///
        /// One of wrong-signature, stale-clock, unknown-serial, missing-header or
        /// missing-header:NAME, bad-gateway, frequency-limited, system-error, cut-body or
        /// cut-body:BYTES, reset, delay:MILLISECONDS, rotate-key
        fault: String,
        /// Inject the fault into this many responses, or notifications with --notifications
        #[arg(long, default_value_t = 1)]
        times: u64,
        /// Inject the fault into notifications instead of responses
        #[arg(long)]
        notifications: bool,
    },
    /// Run a command against a sandbox of its own: its calls to WeChat Pay reach the sandbox
    ///
    /// Starts a sandbox on a free port and the command with variables that make it the proxy for
    /// WeChat Pay's hosts: HTTPS_PROXY, and a trusted root for curl, OpenSSL, Go, Python, Node, PHP
    /// and Java. Without --dir, its keys and its state are temporary. The settings of its merchant
    /// are in variables such as WXPAY_MCHID, and in the files of the folder that WXPAY_SANDBOX
    /// names. The exit code is that of the command.
    Exec {
        /// Allow requests to this host, too; can be repeated
        #[arg(long, value_name = "HOST")]
        allow: Vec<String>,
        /// The command and its arguments
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
    /// Print the balance, orders, refunds, transfers, calls and notifications as JSON
    State,
}

impl SandboxControl {
    /// The name and the fields of the control call; `None` for a command that does not make a
    /// control call.
    pub(super) fn request(&self) -> Result<Option<(&'static str, Value)>, Failure> {
        let request = match self {
            SandboxControl::Pay { out_trade_no, days_ago } => {
                ("pay", json!({ "out_trade_no": out_trade_no, "days_ago": days_ago }))
            }
            SandboxControl::Refund { out_trade_no, amount } => {
                ("refund", json!({ "out_trade_no": out_trade_no, "amount": amount }))
            }
            SandboxControl::Confirm { out_bill_no } => ("confirm", json!({ "out_bill_no": out_bill_no })),
            SandboxControl::Expire { out_trade_no } => ("expire", json!({ "out_trade_no": out_trade_no })),
            SandboxControl::FailPayment { out_trade_no } => ("fail-payment", json!({ "out_trade_no": out_trade_no })),
            SandboxControl::FailTransfer { out_bill_no, reason } => {
                ("fail-transfer", json!({ "out_bill_no": out_bill_no, "fail_reason": reason }))
            }
            SandboxControl::Hold { payments, refunds, profit_sharings, off } => {
                let all = !payments && !refunds && !profit_sharings;
                let flag = |given: bool| if given || all { json!(!off) } else { Value::Null };
                (
                    "hold",
                    json!({ "payments": flag(*payments), "refunds": flag(*refunds), "profit_sharings": flag(*profit_sharings) }),
                )
            }
            SandboxControl::EndRefund { out_refund_no, status } => {
                ("end-refund", json!({ "out_refund_no": out_refund_no, "status": status }))
            }
            SandboxControl::EndProfitSharing { out_order_no, result, account, reason, notify } => (
                "end-profit-sharing",
                json!({
                    "out_order_no": out_order_no, "result": result, "account": account, "fail_reason": reason,
                    "notify_url": notify,
                }),
            ),
            SandboxControl::Limit { calls, seconds } => ("limit", json!({ "calls": calls, "seconds": seconds })),
            SandboxControl::Replay { id } => ("replay", json!({ "id": id })),
            SandboxControl::Probe { notify_url } => ("probe", json!({ "notify_url": notify_url })),
            SandboxControl::Trigger { event, to, set, .. } => {
                ("trigger", json!({ "event": event, "notify_url": to, "set": assignments(set)? }))
            }
            SandboxControl::Card { card_id, event } => ("card", json!({ "card_id": card_id, "event": event })),
            SandboxControl::Bills => ("bills", json!({})),
            SandboxControl::Fault { fault, times, notifications } => {
                let on = if *notifications { "notification" } else { "answer" };
                ("fault", json!({ "fault": fault, "times": times, "on": on }))
            }
            SandboxControl::Logs(_) | SandboxControl::Exec { .. } => return Ok(None),
            SandboxControl::State => ("state", Value::Null),
        };
        Ok(Some(request))
    }
}

/// The values of options in the form PATH=VALUE.
fn assignments(options: &[String]) -> Result<Value, Failure> {
    let pair = |option: &String| match option.split_once('=') {
        Some((path, value)) if !path.is_empty() => Ok((path.to_owned(), Value::from(value))),
        _ => Err(Failure::usage(format!("--set {option:?} has another form than PATH=VALUE"))),
    };
    options.iter().map(pair).collect::<Result<serde_json::Map<_, _>, _>>().map(Value::from)
}
