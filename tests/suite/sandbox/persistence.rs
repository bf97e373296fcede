//! What the sandbox keeps: over a restart, over a kill in the middle of a storm, and to the fen.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, Sandbox};
use wechatpay_chain::{Client, ErrorKind};

use crate::sandbox::orders::native;

fn client_of(summary: &Value) -> Client {
    Client::factory(json!({
        "mchid": summary["mchid"], "serial": summary["serial"], "base_uri": summary["base_uri"], "proxy": "",
        "privateKey": format!("file://{}", summary["private_key"].as_str().expect("path")),
        "certs": summary["certs"].as_object().expect("certs").iter()
            .map(|(id, path)| (id.clone(), json!(format!("file://{}", path.as_str().expect("path"))))).collect::<serde_json::Map<_, _>>(),
    }))
    .expect("client")
}

/// `wxpay sandbox --json` as a process, and what it printed once it listened.
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
        // It may have been killed already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(feature = "cli")]
#[test]
fn a_kill_in_a_storm_loses_nothing_that_was_answered() {
    let folder = tempfile::tempdir().expect("folder");
    let mut process = Process::start(folder.path());
    let (keys, answered) = (process.1.clone(), Arc::new(Mutex::new(BTreeSet::new())));
    let client = client_of(&process.1);
    let storm: Vec<_> = (0..8)
        .map(|thread| {
            let (client, answered) = (client.clone(), Arc::clone(&answered));
            std::thread::spawn(move || {
                for number in 0.. {
                    let number = format!("storm-{thread}-{number}");
                    match client.chain("v3/pay/transactions/native").post(native(&number, 7, "https://example.com/n")) {
                        Ok(_) => answered.lock().expect("lock").insert(number),
                        Err(error) => return error.kind(),
                    };
                }
                unreachable!()
            })
        })
        .collect();
    let enough = Instant::now() + Duration::from_secs(20);
    while answered.lock().expect("lock").len() < 300 && Instant::now() < enough {
        std::thread::sleep(Duration::from_millis(5));
    }
    process.0.kill().expect("killed");
    process.0.wait().expect("ended");
    for thread in storm {
        let kind = thread.join().expect("thread");
        assert!(matches!(kind, ErrorKind::Transport | ErrorKind::Connect), "{kind}");
    }
    let answered = answered.lock().expect("lock").clone();
    assert!(answered.len() >= 300, "{}", answered.len());

    let began = Instant::now();
    let process = Process::start(folder.path());
    println!("{} orders answered, restarted in {:?}", answered.len(), began.elapsed());
    for key in ["mchid", "serial", "apiv3_key", "secret"] {
        assert_eq!(process.1[key], keys[key], "the same {key}");
    }
    let client = client_of(&process.1);
    for number in &answered {
        let order = client
            .chain("v3/pay/transactions/out-trade-no/{no}")
            .get(json!({ "no": number, "query": { "mchid": MCHID } }));
        assert_eq!(
            order.unwrap_or_else(|error| panic!("{number}: {error}")).json().expect("json")["amount"]["total"],
            7
        );
    }
    // None twice: placed again it is the same order, and pays once.
    let number = answered.first().expect("one");
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
    let error = client.chain("v3/certificates").get(()).expect_err("as told");
    assert_eq!(error.kind(), ErrorKind::ServerError);
    // A second one with the same folder is refused, and does not harm the first.
    let second = Sandbox::builder().dir(folder.path()).start().expect_err("in use");
    assert!(second.message().contains("runs with this folder already"), "{second}");
    drop(process);
    let (code, message) = wxpay(&["pay", number]);
    assert!(code == Some(2) && message.contains("no sandbox is running"), "{message}");
}

#[test]
fn a_restart_keeps_all_of_it() {
    let folder = tempfile::tempdir().expect("folder");
    let shared = json!({ "profit_sharing": true });
    let before =
        {
            let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
            let client = sandbox.client().expect("client");
            for (number, sharing) in [("a", false), ("b", true), ("c", false)] {
                let mut order = native(number, 1000, "https://example.com/n");
                if sharing {
                    order["json"]["settle_info"] = shared.clone();
                }
                client.chain("v3/pay/transactions/native").post(order).expect("placed");
            }
            sandbox.pay("a").expect("paid");
            let transaction_id = sandbox.pay("b").expect("paid");
            client.chain("v3/refund/domestic/refunds").post(json!({ "json": {
            "out_trade_no": "a", "out_refund_no": "r", "amount": { "refund": 1, "total": 1000, "currency": "CNY" },
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
    // Settings of the folder reach it.
    let toml = std::fs::read_to_string(folder.path().join("wxpay.toml")).expect("settings");
    assert!(toml.contains(&sandbox.tls_base_uri()), "{toml}");
    for name in ["settings.php", "settings.mjs", "settings.go.txt", "settings.java.txt"] {
        let text = std::fs::read_to_string(folder.path().join(name)).expect(name);
        assert!(text.contains(&sandbox.base_uri()) && !text.contains("@MCHID@"), "{name}: {text}");
    }
    #[cfg(unix)]
    for name in ["apiclient_key.pem", "sandbox-keys.json", "wxpay.toml", "settings.php"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} is for its owner alone");
    }
    std::fs::write(folder.path().join("sandbox-keys.json"), "{").expect("damaged");
    drop(sandbox);
    let error = Sandbox::builder().dir(folder.path()).start().expect_err("damaged");
    assert!(error.message().contains("is damaged"), "{error}");
    assert!(Sandbox::builder().stubs("{").start().expect_err("stubs").message().contains("the stubs"));
    assert!(Sandbox::builder().notification_speed(0.0).start().is_err());
}

/// What somebody does.
#[derive(Clone, Debug)]
enum Act {
    Place(u8, u64),
    Pay(u8),
    Close(u8),
    Refund(u8, u8, u64),
    Query(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..4u8, 1..4u64).prop_map(|(order, total)| Act::Place(order, total * 10)),
        (0..4u8).prop_map(Act::Pay),
        (0..4u8).prop_map(Act::Close),
        (0..4u8, 0..6u8, 1..30u64).prop_map(|(order, refund, amount)| Act::Refund(order, refund, amount)),
        (0..4u8).prop_map(Act::Query),
    ]
}

fn run(act: &Act, sandbox: &Sandbox, client: &Client) -> Result<Option<(u8, String)>, String> {
    let no = |order: &u8| format!("o{order}");
    let path = "v3/pay/transactions/out-trade-no/{no}";
    let outcome = match act {
        Act::Place(order, total) => {
            client.chain("v3/pay/transactions/native").post(native(&no(order), *total, "https://example.com/n"))
        }
        Act::Pay(order) => {
            // Allowed or not, the books say so; a panic of the sandbox would show at its end.
            let _ = sandbox.pay(&no(order));
            return Ok(None);
        }
        Act::Close(order) => {
            client.chain(&format!("{path}/close")).post(json!({ "no": no(order), "json": { "mchid": MCHID } }))
        }
        Act::Refund(order, refund, amount) => {
            let total = client.chain(path).get(json!({ "no": no(order), "query": { "mchid": MCHID } }));
            let total = total
                .ok()
                .and_then(|order| order.json().ok())
                .and_then(|order| order["amount"]["total"].as_u64())
                .unwrap_or(1);
            client.chain("v3/refund/domestic/refunds").post(json!({ "json": {
                "out_trade_no": no(order), "out_refund_no": format!("r{refund}"), "amount": { "refund": amount, "total": total, "currency": "CNY" },
            }}))
        }
        Act::Query(order) => {
            let asked = client.chain(path).get(json!({ "no": no(order), "query": { "mchid": MCHID } }));
            if let Ok(response) = &asked {
                let state = response.json().map_err(|error| error.to_string())?["trade_state"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                return Ok(Some((*order, state)));
            }
            asked
        }
    };
    match outcome {
        Ok(_) => Ok(None),
        // Whatever is refused is refused in the service's words.
        Err(error) if matches!(error.status().map(|s| s.as_u16()), Some(400 | 403 | 404)) => Ok(None),
        Err(error) => Err(format!("{act:?}: {error}")),
    }
}

/// States that may follow one another, as far as somebody who asks now and then sees them.
fn may_follow(before: &str, after: &str) -> bool {
    before == after || matches!((before, after), ("NOTPAY", _) | ("SUCCESS", "REFUND"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Random sequences from several threads: the books balance, and no state follows that the service forbids.
    #[test]
    fn the_books_balance_whatever_is_done(threads in prop::collection::vec(prop::collection::vec(act(), 1..25), 3)) {
        let sandbox = Sandbox::start().expect("sandbox");
        let client = sandbox.client().expect("client");
        let outcomes: Vec<Result<(), String>> = std::thread::scope(|scope| {
            let running: Vec<_> = threads
                .iter()
                .map(|acts| {
                    let (sandbox, client) = (&sandbox, client.clone());
                    scope.spawn(move || {
                        let mut seen: std::collections::BTreeMap<u8, String> = Default::default();
                        for act in acts {
                            if let Some((order, state)) = run(act, sandbox, &client)? {
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

/// Whatever is the last thing before the end is there after it, and the books balance.
#[test]
fn each_change_is_kept_when_it_is_the_last() {
    type Act = fn(&Sandbox, &Client, &str);
    let acts: [(&str, Act); 9] = [
        ("place", |_, client, _| {
            client
                .chain("v3/pay/transactions/native")
                .post(native("last", 7, "https://example.com/n"))
                .expect("placed");
        }),
        ("pay", |sandbox, _, _| drop(sandbox.pay("open").expect("paid"))),
        ("close", |_, client, _| {
            client
                .chain("v3/pay/transactions/out-trade-no/open/close")
                .post(json!({ "json": { "mchid": MCHID } }))
                .expect("closed");
        }),
        ("refund", |_, client, _| {
            client.chain("v3/refund/domestic/refunds").post(json!({ "json": {
                "out_trade_no": "shared", "out_refund_no": "r", "amount": { "refund": 1, "total": 1000, "currency": "CNY" },
            }})).expect("refunded");
        }),
        ("share", |_, client, id| {
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
    for (name, act) in acts {
        let folder = tempfile::tempdir().expect("folder");
        let before = {
            let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
            let client = sandbox.client().expect("client");
            client
                .chain("v3/pay/transactions/native")
                .post(native("open", 5, "https://example.com/n"))
                .expect("placed");
            let mut order = native("shared", 1000, "https://example.com/n");
            order["json"]["settle_info"] = json!({ "profit_sharing": true });
            client.chain("v3/pay/transactions/native").post(order).expect("placed");
            let id = sandbox.pay("shared").expect("paid");
            act(&sandbox, &client, &id);
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

fn transfer(client: &Client) {
    client
        .chain("v3/fund-app/mch-transfer/transfer-bills")
        .post(json!({ "json": {
            "appid": "wx", "out_bill_no": "t1", "transfer_scene_id": "1000", "openid": "o", "transfer_amount": 400,
            "transfer_remark": "r", "transfer_scene_report_infos": [{ "info_type": "a", "info_content": "b" }],
        }}))
        .expect("made");
}

/// Two that start at once on a new folder: one has it, and its keys are the folder's.
#[test]
fn a_folder_has_one_sandbox() {
    let folder = tempfile::tempdir().expect("folder");
    let started: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..3).map(|_| scope.spawn(|| Sandbox::builder().dir(folder.path()).start())).collect();
        starts.into_iter().map(|start| start.join().expect("thread")).collect()
    });
    let running: Vec<_> = started.into_iter().filter_map(Result::ok).collect();
    assert_eq!(running.len(), 1);
    let key = std::fs::read_to_string(folder.path().join("apiclient_key.pem")).expect("key");
    assert_eq!(running[0].settings()["privateKey"], key);
}
