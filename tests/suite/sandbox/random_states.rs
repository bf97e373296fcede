//! Random payments, refunds, transfers, profit sharings and control calls on several threads.
//! Afterwards the ledger is balanced, and a restart does not change it.

use proptest::prelude::*;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{Client, Error};

use super::native;

/// A call of the merchant, or a control call. The numbers identify orders, refunds and other
/// records.
#[derive(Clone, Debug)]
enum Action {
    Place(u8, u64, bool),
    PayByCode(u8, u64),
    Reverse(u8),
    Refund(u8, u8, u64),
    Share(u8, u8, u64, bool),
    Transfer(u8, u64),
    CancelTransfer(u8),
    Control(&'static str, Value),
}

fn control() -> impl Strategy<Value = Action> {
    let order = (0..4u8).prop_map(|order| json!({ "out_trade_no": format!("order-{order}") }));
    let bill = (0..4u8).prop_map(|bill| json!({ "out_bill_no": format!("bill{bill}") }));
    let of_order = (prop::sample::select(vec!["pay", "pay", "expire", "fail-payment", "refund"]), order);
    let of_bill = (prop::sample::select(vec!["confirm", "fail-transfer"]), bill);
    let held = (any::<bool>(), prop::bool::weighted(0.7), prop::bool::weighted(0.7));
    let refund = (0..9u8, prop::sample::select(vec!["SUCCESS", "CLOSED", "ABNORMAL"]));
    let sharing = (0..7u8, prop::sample::select(vec!["SUCCESS", "CLOSED"]), any::<bool>());
    prop_oneof![
        3 => of_order.prop_map(|(call, fields)| Action::Control(call, fields)),
        2 => of_bill.prop_map(|(call, fields)| Action::Control(call, fields)),
        1 => held.prop_map(|(payments, refunds, sharings)| {
            Action::Control("hold", json!({ "payments": payments, "refunds": refunds, "profit_sharings": sharings }))
        }),
        3 => refund.prop_map(|(number, status)| {
            Action::Control("end-refund", json!({ "out_refund_no": format!("r{number}"), "status": status }))
        }),
        3 => sharing.prop_map(|(number, result, one)| {
            let account = if one { json!("1") } else { Value::Null };
            let fields = json!({ "out_order_no": format!("s{number}"), "result": result, "account": account });
            Action::Control("end-profit-sharing", fields)
        }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => (0..4u8, 1..4u64, any::<bool>()).prop_map(|(order, total, shared)| Action::Place(order, total * 100, shared)),
        2 => (0..4u8, 1..4u64).prop_map(|(order, total)| Action::PayByCode(order, total * 100)),
        1 => (0..4u8).prop_map(Action::Reverse),
        4 => (0..4u8, 0..9u8, 1..200u64).prop_map(|(order, refund, amount)| Action::Refund(order, refund, amount)),
        4 => (0..4u8, 0..7u8, 1..400u64, prop::bool::weighted(0.2))
            .prop_map(|(order, sharing, amount, unfreeze)| Action::Share(order, sharing, amount, unfreeze)),
        1 => (0..4u8, 10..90u64).prop_map(|(bill, amount)| Action::Transfer(bill, amount)),
        1 => (0..4u8).prop_map(Action::CancelTransfer),
        8 => control(),
    ]
}

fn run(action: &Action, sandbox: &Sandbox, client: &Client) -> Result<(), Error> {
    let number = |order: &u8| format!("order-{order}");
    let outcome = match action {
        Action::Place(order, total, shared) => {
            let mut options = native(&number(order), *total, "https://example.com/n");
            options["json"]["settle_info"] = json!({ "profit_sharing": shared });
            client.chain("v3/pay/transactions/native").post(options)
        }
        Action::PayByCode(order, total) => {
            let mut options = native(&number(order), *total, "");
            options["json"].as_object_mut().expect("members").remove("notify_url");
            options["json"]["payer"] = json!({ "auth_code": "120061098828009406" });
            options["json"]["scene_info"] = json!({ "store_info": { "id": "0001" } });
            client.chain("v3/pay/transactions/codepay").post(options)
        }
        Action::Reverse(order) => {
            let options = json!({ "no": number(order), "json": { "appid": "wxd678efh567hg6787", "mchid": MCHID } });
            client.chain("v3/pay/transactions/out-trade-no/{no}/reverse").post(options)
        }
        Action::Refund(order, refund, amount) => {
            let total = queried(client, order)["amount"]["total"].as_u64().unwrap_or(1);
            client.chain("v3/refund/domestic/refunds").post(json!({ "json": {
                "out_trade_no": number(order), "out_refund_no": format!("r{refund}"),
                "amount": { "refund": amount, "total": total, "currency": "CNY" },
            }}))
        }
        Action::Share(order, sharing, amount, unfreeze) => {
            let receiver = |account: &str, amount: u64| json!({ "type": "MERCHANT_ID", "account": account, "amount": amount, "description": "d" });
            client.chain("v3/profitsharing/orders").post(
                json!({ "headers": { "Wechatpay-Serial": PUBLIC_KEY_ID }, "json": {
                    "transaction_id": queried(client, order)["transaction_id"].as_str().unwrap_or("none"),
                    "out_order_no": format!("s{sharing}"), "unfreeze_unsplit": unfreeze,
                    "receivers": [receiver("1", *amount), receiver("2", 3)],
                }}),
            )
        }
        Action::Transfer(bill, amount) => client.chain("v3/fund-app/mch-transfer/transfer-bills").post(
            json!({ "headers": { "Wechatpay-Serial": PUBLIC_KEY_ID }, "json": {
                "appid": "wxf636efh567hg4356", "out_bill_no": format!("bill{bill}"), "transfer_scene_id": "1000",
                "openid": "o-MYE42l80oelYMDE34nYD456Xoy", "transfer_amount": amount, "transfer_remark": "r",
                "transfer_scene_report_infos": [{ "info_type": "a", "info_content": "b" }],
            }}),
        ),
        Action::CancelTransfer(bill) => {
            let path = format!("v3/fund-app/mch-transfer/transfer-bills/out-bill-no/bill{bill}/cancel");
            client.chain(&path).post(())
        }
        Action::Control(call, fields) => {
            // It may be refused. The audit detects an inconsistency.
            let _ = sandbox.control(call, fields);
            return Ok(());
        }
    };
    match outcome {
        Err(error) if !matches!(error.status().map(|status| status.as_u16()), Some(400 | 403 | 404)) => Err(error),
        _ => Ok(()),
    }
}

fn queried(client: &Client, order: &u8) -> Value {
    let query = json!({ "no": format!("order-{order}"), "query": { "mchid": MCHID } });
    let order = client.chain("v3/pay/transactions/out-trade-no/{no}").get(query);
    order.ok().and_then(|order| order.json().ok()).unwrap_or_default()
}

/// The parts of the state that a restart must not change.
fn state(sandbox: &Sandbox) -> Vec<Value> {
    let overview = sandbox.overview();
    ["account", "orders", "refunds", "transfers", "profit_sharings"].map(|part| overview[part].clone()).into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_balances_in_all_states(threads in prop::collection::vec(prop::collection::vec(action(), 5..40), 3)) {
        let folder = tempfile::tempdir().expect("folder");
        let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
        let client = sandbox.client().expect("client");
        for account in ["1", "2"] {
            let receiver = json!({ "headers": { "Wechatpay-Serial": PUBLIC_KEY_ID }, "json": {
                "appid": "wx8888888888888888", "type": "MERCHANT_ID", "account": account, "relation_type": "STORE",
            }});
            client.chain("v3/profitsharing/receivers/add").post(receiver).expect("added");
        }
        for (order, shared) in [(0, true), (1, true), (2, false)] {
            run(&Action::Place(order, 10_000, shared), &sandbox, &client).expect("placed");
            sandbox.pay(&format!("order-{order}")).expect("paid");
        }
        sandbox.control("hold", &json!({ "refunds": true, "profit_sharings": true })).expect("held");
        std::thread::scope(|scope| {
            for actions in &threads {
                let (sandbox, client) = (&sandbox, client.clone());
                scope.spawn(move || {
                    for action in actions {
                        run(action, sandbox, &client).unwrap_or_else(|error| panic!("{action:?}: {error}"));
                        sandbox.audit().unwrap_or_else(|error| panic!("{action:?}: {error}"));
                    }
                });
            }
        });
        let before = state(&sandbox);
        drop(sandbox);
        let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
        prop_assert_eq!(state(&sandbox), before);
        prop_assert!(sandbox.audit().is_ok());
    }
}
