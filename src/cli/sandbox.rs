//! `wxpay sandbox`: the local WeChat Pay as a process of its own, and what a buyer or a tester does to a running one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::{Act, Sandbox as Arguments, SettingsFile};
use super::{Failure, output, translate};
use crate::sandbox::{Sandbox, home};

pub(super) fn run(from: &SettingsFile, arguments: &Arguments) -> Result<(), Failure> {
    // The settings file of a sandbox stands in its folder.
    let by_config = from.config.clone().or_else(|| std::env::var_os("WXPAY_CONFIG").map(PathBuf::from));
    let beside = by_config
        .and_then(|config| Some(config.parent()?.to_owned()))
        .filter(|folder| folder.join(home::RUNNING).is_file());
    let usual = || PathBuf::from("wxpay-sandbox");
    match &arguments.act {
        None => serve(&arguments.dir.clone().unwrap_or_else(usual), arguments),
        Some(act) => call(&arguments.dir.clone().or(beside).unwrap_or_else(usual), act),
    }
}

fn serve(dir: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let mut builder =
        Sandbox::builder().port(arguments.port).dir(dir).log_in(|text| translate::message(text).into_owned());
    builder = builder.notification_speed(arguments.speed);
    if arguments.certificates {
        builder = builder.certificates();
    }
    if arguments.notify_anywhere {
        builder = builder.notify_anywhere();
    }
    if let Some(path) = &arguments.stubs {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("the file {} cannot be read: {error}", path.display())))?;
        builder = builder.stubs(&text);
    }
    // None of it is a setting of --config.
    let sandbox = builder.start().map_err(|error| Failure::usage(error.message()))?;
    let text = if arguments.json {
        format!("{}\n", home::summary(&sandbox, dir))
    } else {
        let config = dir.join(home::CONFIG);
        let text = format!(
            "A local WeChat Pay listens at {0}, and shows itself there to a browser; over TLS at {1}.\n\
             Its merchant's settings are in {2}:\n  wxpay --config {2} req ...\n\
             For other SDKs there are settings.php, settings.mjs, settings.go.txt and settings.java.txt beside it.\n\
             Pay an order: wxpay sandbox pay OUT_TRADE_NO{3}\nEnd it with Ctrl-C.\n",
            sandbox.base_uri(),
            sandbox.tls_base_uri(),
            config.display(),
            if dir == Path::new("wxpay-sandbox") { String::new() } else { format!(" --dir {}", dir.display()) },
        );
        translate::message(&text).into_owned()
    };
    // Whoever reads the lines through a pipe wants them now.
    let mut out = std::io::stdout();
    output::printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
    loop {
        std::thread::park();
    }
}

/// Makes a control call to the sandbox that runs with this folder.
fn call(folder: &Path, act: &Act) -> Result<(), Failure> {
    let (path, body) = match act {
        Act::Pay { out_trade_no } => ("pay", json!({ "out_trade_no": out_trade_no })),
        Act::Refund { out_trade_no, amount } => ("refund", json!({ "out_trade_no": out_trade_no, "amount": amount })),
        Act::Confirm { out_bill_no } => ("confirm", json!({ "out_bill_no": out_bill_no })),
        Act::Replay { id } => ("replay", json!({ "id": id })),
        Act::Probe { notify_url } => ("probe", json!({ "notify_url": notify_url })),
        Act::Card { card_id, event } => ("card", json!({ "card_id": card_id, "event": event })),
        Act::Fault { fault, times, notifications } => {
            let on = if *notifications { "notification" } else { "answer" };
            ("fault", json!({ "fault": fault, "times": times, "on": on }))
        }
        Act::State => ("state", Value::Null),
    };
    let running = folder.join(home::RUNNING);
    let not_running = |said: String| {
        Failure::usage(format!(
            "no sandbox runs with the folder {} ({said}): start one with wxpay sandbox, or name its folder by --dir",
            folder.display()
        ))
    };
    let text = fs::read_to_string(&running).map_err(|error| not_running(error.to_string()))?;
    let running: Value = serde_json::from_str(&text).map_err(|error| not_running(error.to_string()))?;
    let base = running["base_uri"].as_str().unwrap_or_default();
    let (status, answer) = crate::sandbox::call(&format!("{base}sandbox/{path}"), &body)
        .map_err(|error| if error.is_connect() { not_running("it has ended".to_owned()) } else { error.into() })?;
    if status.is_success() {
        return output::printed(output::body(&answer));
    }
    let said: Value = serde_json::from_slice(&answer).unwrap_or_default();
    Err(Failure { code: 5, said: said["error"].as_str().unwrap_or("the sandbox refused").to_owned() })
}
