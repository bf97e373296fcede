//! Each fault of the sandbox with each verb, synchronous and asynchronous: the call fails with the
//! right kind of error after one request, and no faulty response is verified.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{Client, Error, ErrorKind, Promise, Response};

use crate::support::{run, start};

/// The faults by name, with the kind of error that each causes.
const FAULTS: [(&str, ErrorKind); 16] = [
    ("wrong-signature", ErrorKind::Verification),
    ("stale-clock", ErrorKind::Verification),
    ("unknown-serial", ErrorKind::Verification),
    ("missing-header", ErrorKind::Verification),
    ("missing-header:Wechatpay-Serial", ErrorKind::Verification),
    ("missing-header:Wechatpay-Nonce", ErrorKind::Verification),
    ("missing-header:Wechatpay-Timestamp", ErrorKind::Verification),
    ("bad-gateway", ErrorKind::ServerError),
    ("system-error", ErrorKind::ServerError),
    ("frequency-limited", ErrorKind::ClientError),
    ("cut-body:0", ErrorKind::Transport),
    ("cut-body:5", ErrorKind::Transport),
    ("reset", ErrorKind::Transport),
    ("delay:400", ErrorKind::Timeout),
    ("huge", ErrorKind::TooLarge),
    ("page", ErrorKind::Verification),
];

const VERBS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

fn fault(name: &str) -> Fault {
    match name {
        // Longer than the limit for bodies in memory.
        "huge" => Fault::Tamper(Box::new(|response| *response.body_mut() = vec![b' '; 17 * 1024 * 1024].into())),
        "page" => Fault::Tamper(Box::new(|response| *response.body_mut() = "<html>captive portal</html>".into())),
        name => Fault::from_name(name).expect("fault"),
    }
}

fn send(client: &Client, verb: &str, options: &Value) -> Result<Response, Error> {
    let chain = client.chain("v3/matrix/{x}");
    match verb {
        "GET" => chain.get(options),
        "POST" => chain.post(options),
        "PUT" => chain.put(options),
        "PATCH" => chain.patch(options),
        _ => chain.delete(options),
    }
}

fn send_async(client: &Client, verb: &str, options: &Value) -> Promise<Response> {
    let chain = client.chain("v3/matrix/{x}");
    match verb {
        "GET" => chain.get_async(options),
        "POST" => chain.post_async(options),
        "PUT" => chain.put_async(options),
        "PATCH" => chain.patch_async(options),
        _ => chain.delete_async(options),
    }
}

#[test]
fn every_fault_with_every_verb_is_one_request_and_one_error() {
    let (sandbox, client) = start();
    for verb in VERBS {
        sandbox.stub(verb, "v3/matrix/{x}", 200, json!({ "a": "an answer that is long enough to be cut" }));
    }
    let mut cells = 0;
    for (name, kind) in FAULTS {
        for verb in VERBS {
            for asynchronous in [false, true] {
                let cell = format!("{name} {verb} {}", if asynchronous { "async" } else { "sync" });
                let before = sandbox.requests().len();
                sandbox.inject(fault(name));
                let options = json!({ "x": 1, "timeout": if name.starts_with("delay") { 0.05 } else { 20.0 } });
                let outcome = if asynchronous {
                    run(async { send_async(&client, verb, &options).await })
                } else {
                    send(&client, verb, &options)
                };
                let error = outcome.expect_err(&cell);
                assert_eq!(error.kind(), kind, "{cell}: {error}");
                assert!(!error.is_before_send() && !error.is_connect(), "{cell}");
                let is_verified = error.response().is_some_and(Response::is_verified);
                assert_eq!(
                    is_verified,
                    name == "frequency-limited",
                    "{cell}: only signed error responses are verified"
                );
                assert_one_request(&sandbox, before, &cell);
                cells += 1;
            }
        }
    }
    assert_eq!(cells, FAULTS.len() * VERBS.len() * 2);
    // The client works after all faults.
    assert!(send(&client, "GET", &json!({ "x": 1 })).expect("response").is_verified());
}

/// Asserts that the sandbox received exactly one more request.
fn assert_one_request(sandbox: &Sandbox, before: usize, cell: &str) {
    assert_eq!(sandbox.requests().len(), before + 1, "{cell}: one request");
}
