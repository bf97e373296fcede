//! The persistent state of the sandbox: after a restart, after a kill, and consistent to the fen.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, Sandbox};
use wechatpay_chain::{Client, ErrorKind};

use super::native;

/// A client with the settings that `wxpay sandbox --json` printed.
fn client_of(summary: &Value) -> Client {
    Client::factory(json!({
        "mchid": summary["mchid"], "serial": summary["serial"], "base_uri": summary["base_uri"], "proxy": "",
        "privateKey": format!("file://{}", summary["private_key"].as_str().expect("path")),
        "certs": summary["certs"].as_object().expect("certs").iter()
            .map(|(id, path)| (id.clone(), json!(format!("file://{}", path.as_str().expect("path"))))).collect::<serde_json::Map<_, _>>(),
    }))
    .expect("client")
}

/// A process `wxpay sandbox --json`, and the settings that it printed.
struct Process(Child, Value);

impl Process {
    fn start(folder: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wxpay"))
            .args(["sandbox", "--json", "--port", "0", "--dir"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("wxpay");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
        let summary = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Process(child, summary)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The test may have killed it already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(feature = "cli")]
#[test]
fn a_killed_sandbox_has_lost_no_order_that_it_confirmed() {
    let folder = tempfile::tempdir().expect("folder");
    let mut process = Process::start(folder.path());
    let (keys, placed) = (process.1.clone(), Arc::new(Mutex::new(BTreeSet::new())));
    let client = client_of(&process.1);
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let (client, placed) = (client.clone(), Arc::clone(&placed));
            std::thread::spawn(move || {
                for number in 0.. {
                    let number = format!("order-{thread}-{number}");
                    match client.chain("v3/pay/transactions/native").post(native(&number, 7, "https://example.com/n")) {
                        Ok(_) => placed.lock().expect("lock").insert(number),
                        Err(error) => return error.kind(),
                    };
                }
                unreachable!()
            })
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(20);
    while placed.lock().expect("lock").len() < 300 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    process.0.kill().expect("killed");
    process.0.wait().expect("ended");
    for thread in threads {
        let kind = thread.join().expect("thread");
        assert!(matches!(kind, ErrorKind::Transport | ErrorKind::Connect), "{kind}");
    }
    let placed = placed.lock().expect("lock").clone();
    assert!(placed.len() >= 300, "{}", placed.len());

    let began = Instant::now();
    let process = Process::start(folder.path());
    println!("{} orders placed, restarted in {:?}", placed.len(), began.elapsed());
    for key in ["mchid", "serial", "apiv3_key", "secret"] {
        assert_eq!(process.1[key], keys[key], "the same {key}");
    }
    let client = client_of(&process.1);
    for number in &placed {
        let order = client
            .chain("v3/pay/transactions/out-trade-no/{no}")
            .get(json!({ "no": number, "query": { "mchid": MCHID } }));
        assert_eq!(
            order.unwrap_or_else(|error| panic!("{number}: {error}")).json::<Value>().expect("json")["amount"]["total"],
            7
        );
    }
    // The order is not duplicated: it can be placed again, and paid once.
    let number = placed.first().expect("one");
    client.chain("v3/pay/transactions/native").post(native(number, 7, "https://example.com/n")).expect("the same");
    let wxpay = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_wxpay"))
            .arg("sandbox")
            .args(arguments)
            .arg("--dir")
            .arg(folder.path())
            .env("WXPAY_LANG", "en")
            .output()
            .expect("wxpay");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, message) = wxpay(&["pay", number]);
    assert!(code == Some(0) && message.contains("transaction_id"), "{message}");
    let (code, message) = wxpay(&["pay", number]);
    assert!(code == Some(5) && message.contains("is paid already"), "{message}");
    let (code, message) = wxpay(&["state"]);
    assert!(code == Some(0) && message.contains("\"SUCCESS\""), "{message}");
    assert_eq!(wxpay(&["refund", number, "3"]).0, Some(0));
    let (code, message) = wxpay(&["fault", "nonsense"]);
    assert!(code == Some(5) && message.contains("wrong-signature"), "{message}");
    assert_eq!(wxpay(&["fault", "system-error"]).0, Some(0));
    let error = client.chain("v3/certificates").get(()).expect_err("fault");
    assert_eq!(error.kind(), ErrorKind::ServerError);
    // A second sandbox with the same folder does not start, and does not affect the first.
    let second = Sandbox::builder().dir(folder.path()).start().expect_err("in use");
    assert!(second.message().contains("running with this folder"), "{second}");
    drop(process);
    let (code, message) = wxpay(&["pay", number]);
    assert!(code == Some(2) && message.contains("no sandbox is running"), "{message}");
}

#[test]
fn a_restart_keeps_the_state() {
    let folder = tempfile::tempdir().expect("folder");
    let shared = json!({ "profit_sharing": true });
    let before = {
        let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
        let client = sandbox.client().expect("client");
        for (number, sharing) in [("order-a", false), ("order-b", true), ("order-c", false)] {
            let mut order = native(number, 1000, "https://example.com/n");
            if sharing {
                order["json"]["settle_info"] = shared.clone();
            }
            client.chain("v3/pay/transactions/native").post(order).expect("placed");
        }
        sandbox.pay("order-a").expect("paid");
        add_receiver(&client);
        let transaction_id = sandbox.pay("order-b").expect("paid");
        client.chain("v3/refund/domestic/refunds").post(json!({ "json": {
            "out_trade_no": "order-a", "out_refund_no": "r", "amount": { "refund": 1, "total": 1000, "currency": "CNY" },
        }})).expect("refunded");
        client
            .chain("v3/profitsharing/orders")
            .post(json!({ "json": {
                "transaction_id": transaction_id, "out_order_no": "s", "unfreeze_unsplit": false,
                "receivers": [{ "type": "MERCHANT_ID", "account": "1", "amount": 10, "description": "d" }],
            }}))
            .expect("shared");
        sandbox.audit().expect("balanced");
        sandbox.overview()
    };
    let began = Instant::now();
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    println!("started again in {:?}", began.elapsed());
    let after = sandbox.overview();
    for part in ["account", "orders", "refunds", "transfers"] {
        assert_eq!(before[part], after[part], "{part}");
    }
    assert_eq!(after["notifications"].as_array().map(Vec::len), before["notifications"].as_array().map(Vec::len));
    sandbox.audit().expect("balanced");
    // The settings in the folder are those of the running sandbox.
    let toml = std::fs::read_to_string(folder.path().join("wxpay.toml")).expect("settings");
    assert!(toml.contains(&sandbox.tls_base_uri()), "{toml}");
    for name in ["settings.php", "settings.mjs", "settings.go.txt", "settings.java.txt"] {
        let text = std::fs::read_to_string(folder.path().join(name)).expect(name);
        let base_uri = if name == "settings.php" { sandbox.tls_base_uri() } else { sandbox.base_uri() };
        assert!(text.contains(&base_uri) && !text.contains("@MCHID@"), "{name}: {text}");
        let left =
            text.split('@').skip(1).step_by(2).find(|part| part.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        assert_eq!(left, None, "{name} has a placeholder: {text}");
    }
    #[cfg(unix)]
    for name in ["apiclient_key.pem", "apiclient_cert.p12", "sandbox-keys.json", "wxpay.toml", "settings.php"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} is readable by others");
    }
    std::fs::write(folder.path().join("sandbox-keys.json"), "{").expect("damaged");
    drop(sandbox);
    let error = Sandbox::builder().dir(folder.path()).start().expect_err("damaged");
    assert!(error.message().contains("is damaged"), "{error}");
    assert!(Sandbox::builder().stubs("{").start().expect_err("stubs").message().contains("the stubs"));
    assert!(Sandbox::builder().notification_speed(0.0).start().is_err());
}

/// A call or a payment.
#[derive(Clone, Debug)]
enum Action {
    Place(u8, u64),
    Pay(u8),
    Close(u8),
    Refund(u8, u8, u64),
    Query(u8),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (0..4u8, 1..4u64).prop_map(|(order, total)| Action::Place(order, total * 10)),
        (0..4u8).prop_map(Action::Pay),
        (0..4u8).prop_map(Action::Close),
        (0..4u8, 0..6u8, 1..30u64).prop_map(|(order, refund, amount)| Action::Refund(order, refund, amount)),
        (0..4u8).prop_map(Action::Query),
    ]
}

/// Runs an action. Returns the state that a query found, or an error that the service would not
/// return.
fn run(action: &Action, sandbox: &Sandbox, client: &Client) -> Result<Option<(u8, String)>, String> {
    let no = |order: &u8| format!("order-{order}");
    let path = "v3/pay/transactions/out-trade-no/{no}";
    let outcome = match action {
        Action::Place(order, total) => {
            client.chain("v3/pay/transactions/native").post(native(&no(order), *total, "https://example.com/n"))
        }
        Action::Pay(order) => {
            // Paying may be refused. The audit at the end detects an inconsistency.
            let _ = sandbox.pay(&no(order));
            return Ok(None);
        }
        Action::Close(order) => {
            client.chain(&format!("{path}/close")).post(json!({ "no": no(order), "json": { "mchid": MCHID } }))
        }
        Action::Refund(order, refund, amount) => {
            let total = client.chain(path).get(json!({ "no": no(order), "query": { "mchid": MCHID } }));
            let total = total
                .ok()
                .and_then(|order| order.json::<Value>().ok())
                .and_then(|order| order["amount"]["total"].as_u64())
                .unwrap_or(1);
            client.chain("v3/refund/domestic/refunds").post(json!({ "json": {
                "out_trade_no": no(order), "out_refund_no": format!("r{refund}"), "amount": { "refund": amount, "total": total, "currency": "CNY" },
            }}))
        }
        Action::Query(order) => {
            let queried = client.chain(path).get(json!({ "no": no(order), "query": { "mchid": MCHID } }));
            if let Ok(response) = &queried {
                let state = response.json::<Value>().map_err(|error| error.to_string())?["trade_state"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                return Ok(Some((*order, state)));
            }
            queried
        }
    };
    match outcome {
        Ok(_) => Ok(None),
        // Refusals have a status of the service.
        Err(error) if matches!(error.status().map(|s| s.as_u16()), Some(400 | 403 | 404)) => Ok(None),
        Err(error) => Err(format!("{action:?}: {error}")),
    }
}

/// Whether a query may find the second state after an earlier one found the first.
fn may_follow(before: &str, after: &str) -> bool {
    before == after || matches!((before, after), ("NOTPAY", _) | ("SUCCESS", "REFUND"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Random actions on several threads.
    #[test]
    fn accounts_balance_after_random_actions(threads in prop::collection::vec(prop::collection::vec(action(), 1..25), 3)) {
        let sandbox = Sandbox::start().expect("sandbox");
        let client = sandbox.client().expect("client");
        let outcomes: Vec<Result<(), String>> = std::thread::scope(|scope| {
            let running: Vec<_> = threads
                .iter()
                .map(|actions| {
                    let (sandbox, client) = (&sandbox, client.clone());
                    scope.spawn(move || {
                        let mut seen: std::collections::BTreeMap<u8, String> = Default::default();
                        for action in actions {
                            if let Some((order, state)) = run(action, sandbox, &client)? {
                                if let Some(before) = seen.insert(order, state.clone()) {
                                    if !may_follow(&before, &state) {
                                        return Err(format!("{before} was followed by {state}"));
                                    }
                                }
                            }
                        }
                        Ok(())
                    })
                })
                .collect();
            running.into_iter().map(|thread| thread.join().expect("thread")).collect()
        });
        for outcome in outcomes {
            prop_assert_eq!(outcome, Ok(()));
        }
        prop_assert!(sandbox.audit().is_ok(), "{:?}", sandbox.audit());
    }
}

#[test]
fn the_last_change_before_the_end_is_kept() {
    type Action = fn(&Sandbox, &Client, &str);
    let actions: [(&str, Action); 9] = [
        ("place", |_, client, _| {
            client
                .chain("v3/pay/transactions/native")
                .post(native("order-last", 7, "https://example.com/n"))
                .expect("placed");
        }),
        ("pay", |sandbox, _, _| drop(sandbox.pay("order-open").expect("paid"))),
        ("close", |_, client, _| {
            client
                .chain("v3/pay/transactions/out-trade-no/order-open/close")
                .post(json!({ "json": { "mchid": MCHID } }))
                .expect("closed");
        }),
        ("refund", |_, client, _| {
            client.chain("v3/refund/domestic/refunds").post(json!({ "json": {
                "out_trade_no": "order-shared", "out_refund_no": "r", "amount": { "refund": 1, "total": 1000, "currency": "CNY" },
            }})).expect("refunded");
        }),
        ("share", |_, client, id| {
            add_receiver(client);
            client
                .chain("v3/profitsharing/orders")
                .post(json!({ "json": {
                    "transaction_id": id, "out_order_no": "s", "unfreeze_unsplit": false,
                    "receivers": [{ "type": "MERCHANT_ID", "account": "1", "amount": 10, "description": "d" }],
                }}))
                .expect("shared");
        }),
        ("unfreeze", |_, client, id| {
            client
                .chain("v3/profitsharing/orders/unfreeze")
                .post(json!({ "json": {
                    "transaction_id": id, "out_order_no": "u", "description": "d", "receivers": ["x"],
                }}))
                .expect("unfrozen");
        }),
        ("transfer", |_, client, _| transfer(client)),
        ("confirm", |sandbox, client, _| {
            transfer(client);
            sandbox.confirm_transfer("t1").expect("confirmed");
        }),
        ("cancel", |_, client, _| {
            transfer(client);
            client.chain("v3/fund-app/mch-transfer/transfer-bills/out-bill-no/t1/cancel").post(()).expect("cancelled");
        }),
    ];
    for (name, action) in actions {
        let folder = tempfile::tempdir().expect("folder");
        let before = {
            let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
            let client = sandbox.client().expect("client");
            client
                .chain("v3/pay/transactions/native")
                .post(native("order-open", 5, "https://example.com/n"))
                .expect("placed");
            let mut order = native("order-shared", 1000, "https://example.com/n");
            order["json"]["settle_info"] = json!({ "profit_sharing": true });
            client.chain("v3/pay/transactions/native").post(order).expect("placed");
            let id = sandbox.pay("order-shared").expect("paid");
            action(&sandbox, &client, &id);
            sandbox.audit().unwrap_or_else(|error| panic!("{name}: {error}"));
            sandbox.overview()
        };
        let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
        sandbox.audit().unwrap_or_else(|error| panic!("{name}: {error}"));
        let after = sandbox.overview();
        for part in ["account", "totals", "orders", "refunds", "transfers"] {
            assert_eq!(before[part], after[part], "{name}: {part}");
        }
    }
}

fn add_receiver(client: &Client) {
    client
        .chain("v3/profitsharing/receivers/add")
        .post(json!({ "json": {
            "appid": "wx8888888888888888", "type": "MERCHANT_ID", "account": "1", "relation_type": "STORE",
        }}))
        .expect("added");
}

fn transfer(client: &Client) {
    client
        .chain("v3/fund-app/mch-transfer/transfer-bills")
        .post(json!({ "json": {
            "appid": "wxf636efh567hg4356", "out_bill_no": "t1", "transfer_scene_id": "1000",
            "openid": "o-MYE42l80oelYMDE34nYD456Xoy", "transfer_amount": 400,
            "transfer_remark": "r", "transfer_scene_report_infos": [{ "info_type": "a", "info_content": "b" }],
        }}))
        .expect("created");
}
