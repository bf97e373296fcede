//! Changes, removals and repetitions of what documented calls created.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::MCHID;

use super::documented::{refused, send};
use super::documented_calls::APPID;
use super::native;
use crate::support::start;

const CARDS: &str = "v3/marketing/membercard-open/cards";
const STORES: &str = "v3/brand/partner/store/brandstores";

#[test]
fn a_change_has_the_values_of_its_request_and_is_read_back() {
    let (sandbox, client) = start();
    let call = |method, path: &str, members| send(&sandbox, &client, method, path, &members);
    let basics = json!({ "store_reference_id": "ref-1", "branch_name": "old" });
    let create = json!({ "json/brand_id": "1001", "json/store_basics": basics });
    let store = call("POST", STORES, create).expect("created")["store_id"].clone();
    let one = format!("{STORES}/{{store_id}}");

    // The second change is not a repetition of the first one. What they do not name remains.
    for name in ["new", "newest"] {
        let basics = json!({ "branch_name": name });
        let change = json!({ "store_id": store, "json/brand_id": "1001", "json/store_basics": basics });
        let changed = call("PATCH", &one, change).expect("changed");
        let expected = json!({ "store_reference_id": "ref-1", "branch_name": name });
        assert_eq!((&changed["store_basics"], &changed["store_id"]), (&expected, &store));
        let query = json!({ "store_id": store, "query/brand_id": "1001" });
        assert_eq!(call("GET", &one, query).expect("found")["store_basics"], expected);
    }
}

#[test]
fn what_a_path_names_last_is_changed_and_removed_and_not_what_contains_it() {
    let (sandbox, client) = start();
    let call = |method, path: &str, members| send(&sandbox, &client, method, path, &members);
    let card = call("POST", CARDS, json!({ "json/title": "the card" })).expect("created")["card_id"].clone();
    let one_card = format!("{CARDS}/{{card_id}}");
    let modules = format!("{one_card}/service-modules");
    let one_module = format!("{modules}/{{service_module_id}}");
    let module = |id: &str| json!({ "card_id": card, "service_module_id": id });
    call("POST", &modules, json!({ "card_id": card, "json/service_module_id": "module-1" })).expect("added");

    assert_eq!(refused(call("DELETE", &one_module, module("NOPE"))).0, Some(404));
    let mut change = module("module-1");
    change["json/jump_miniprogram/path"] = "pages/new".into();
    let changed = call("PATCH", &one_module, change).expect("changed");
    let expected = [&json!("module-1"), &json!("pages/new")];
    assert_eq!([&changed["service_module_id"], &changed["jump_miniprogram"]["path"]], expected);
    call("DELETE", &one_module, module("module-1")).expect("removed");
    assert_eq!(refused(call("DELETE", &one_module, module("module-1"))).0, Some(404));

    // A code is a number, too. No call creates it.
    let one_code = format!("{one_card}/codes/{{code}}");
    let code = json!({ "card_id": card, "code": "code-1" });
    call("POST", &format!("{one_code}/unavailable"), code).expect("invalidated");
    // The card is as it was.
    let found = call("GET", &one_card, json!({ "card_id": card })).expect("found");
    assert_eq!([&found["title"], &found["card_id"]], [&json!("the card"), &card]);
    assert!(found.get("jump_miniprogram").is_none() && found["status"] != "UNAVAILABLE", "{found}");

    call("DELETE", &one_card, json!({ "card_id": card })).expect("removed");
    assert_eq!(refused(call("GET", &one_card, json!({ "card_id": card }))).0, Some(404));
}

#[test]
fn a_part_that_a_list_added_can_be_removed() {
    const CODES: &str = "v3/marketing/busifavor/stocks/{stock_id}/couponcodes";
    let (sandbox, client) = start();
    let call = |method, path: &str, members| send(&sandbox, &client, method, path, &members);
    let stock = call("POST", "v3/marketing/busifavor/stocks", json!({})).expect("created")["stock_id"].clone();
    let codes = json!({ "stock_id": stock, "json/coupon_code_list": ["code-1", "code-2"] });
    call("POST", CODES, codes).expect("added");
    let one = format!("{CODES}/{{coupon_code}}");
    let code = |code: &str| json!({ "stock_id": stock, "coupon_code": code });
    call("DELETE", &one, code("code-2")).expect("removed");
    assert_eq!(refused(call("DELETE", &one, code("code-3"))).0, Some(404));
    let found = call("GET", "v3/marketing/busifavor/stocks/{stock_id}", json!({ "stock_id": stock })).expect("found");
    assert_eq!(found["stock_id"], stock);
}

#[test]
fn a_second_refund_of_an_order_is_not_a_repetition_of_the_first() {
    const REFUNDS: &str = "v3/ecommerce/refunds/apply";
    let (sandbox, client) = start();
    client.chain("v3/pay/transactions/native").post(native("order-1", 100, "https://example.com/n")).expect("placed");
    let transaction_id = sandbox.pay("order-1").expect("paid");
    let refund = |number: &str, amount: u32| -> Value {
        let members = json!({
            "json/out_refund_no": number, "json/amount/refund": amount, "json/amount/total": 100,
            "json/out_trade_no": "order-1", "json/transaction_id": transaction_id,
        });
        send(&sandbox, &client, "POST", REFUNDS, &members).expect("refunded")
    };
    let (first, second) = (refund("refund-1", 30), refund("refund-2", 20));
    assert_eq!([&second["out_refund_no"], &second["amount"]["refund"]], [&json!("refund-2"), &json!(20)]);
    assert_ne!(first["refund_id"], second["refund_id"]);
    // Both can be repeated.
    assert_eq!([refund("refund-1", 30), refund("refund-2", 20)], [first, second]);
}

#[test]
fn a_number_that_is_only_mentioned_is_not_an_order_or_a_transfer() {
    const TRANSFERS: &str = "v3/fund-app/mch-transfer";
    let (sandbox, client) = start();
    let call = |method, path: &str, members| send(&sandbox, &client, method, path, &members);
    let receipt = format!("{TRANSFERS}/elecsign/out-bill-no");
    call("POST", &receipt, json!({ "json/out_bill_no": "bill1" })).expect("a receipt");
    let query = format!("{TRANSFERS}/transfer-bills/out-bill-no/{{out_bill_no}}");
    assert_eq!(refused(call("GET", &query, json!({ "out_bill_no": "bill1" }))).0, Some(404));
}

#[test]
fn an_order_that_nobody_has_paid_is_not_paid() {
    let (sandbox, client) = start();
    let order = json!({ "xml/out_trade_no": "signed-1", "xml/total_fee": "150", "xml/trade_type": "APP" });
    send(&sandbox, &client, "POST", "v2/pay/contractorder", &order).expect("placed");
    let query = json!({ "xml": { "appid": APPID, "mch_id": MCHID, "out_trade_no": "signed-1" } });
    let found = client.chain("v2/pay/orderquery").post(query).expect("found").xml().expect("xml");
    assert_eq!([&found["out_trade_no"], &found["trade_state"]], ["signed-1", "NOTPAY"], "{found}");
    assert!(found.get("transaction_id").is_none() && found.get("time_end").is_none(), "{found}");

    // The tables of these calls do not list the states.
    let order = json!({ "json/out_trade_no": "charge-1" });
    send(&sandbox, &client, "POST", "v3/ebike/charge/transactions", &order).expect("placed");
    let query = json!({ "out_trade_no": "charge-1" });
    let one = "v3/ebike/charge/transactions/out-trade-no/{out_trade_no}";
    let found = send(&sandbox, &client, "GET", one, &query).expect("found");
    assert_eq!(found["trade_state"], "NOTPAY", "{found}");
}

#[test]
fn a_list_has_the_page_that_the_query_names() {
    let (sandbox, client) = start();
    for number in 0..5 {
        let store = json!({
            "json/brand_id": "1001", "json/store_basics/store_reference_id": format!("ref-{number}"),
            "json/store_basics/branch_name": "a",
        });
        send(&sandbox, &client, "POST", STORES, &store).expect("created");
    }
    let page = |query: Value| {
        let call = client.chain(STORES).get(json!({ "query": query })).expect("page");
        let body = call.json::<Value>().expect("json");
        let stores = body["data"].as_array().expect("data").iter();
        let names: Vec<String> = stores
            .map(|store| store["store_basics"]["store_reference_id"].as_str().expect("name").to_owned())
            .collect();
        (names, body["total_count"].clone())
    };
    for (query, names) in [
        (json!({}), &["ref-0", "ref-1", "ref-2", "ref-3", "ref-4"][..]),
        (json!({ "offset": 0, "limit": 2 }), &["ref-0", "ref-1"]),
        (json!({ "offset": 4, "limit": 2 }), &["ref-4"]),
        (json!({ "offset": 6, "limit": 2 }), &[]),
    ] {
        let mut query = query;
        query["brand_id"] = "1001".into();
        assert_eq!(page(query.clone()), (names.iter().map(|name| (*name).to_owned()).collect(), json!(5)), "{query}");
    }
    // The client's `pages` returns all pages.
    let pages = client.chain(STORES).pages(json!({ "query": { "brand_id": "1001", "limit": 2 } }));
    let lengths: Vec<usize> = pages
        .map(|page| page.expect("page").json::<Value>().expect("json")["data"].as_array().expect("data").len())
        .collect();
    assert_eq!(lengths, [2, 2, 1]);
}

#[test]
fn another_merchant_and_an_unknown_payment_are_refused() {
    let (sandbox, client) = start();
    let query = |mchid: &str| {
        let query =
            json!({ "query/mchid": mchid, "query/transaction_id": "4200000000", "query/offset": 0, "query/count": 5 });
        send(&sandbox, &client, "GET", "v3/refunds", &query)
    };
    assert_eq!(refused(query("1900000999")), (Some(403), "NO_AUTH".to_owned()));
    query(MCHID).expect("an empty list");
    let apply = |mchid: &str| {
        let members = json!({ "json/sp_mchid": mchid, "json/out_trade_no": "order-1" });
        send(&sandbox, &client, "POST", "v3/global/transactions/native", &members)
    };
    assert_eq!(refused(apply("1900000999")), (Some(403), "NO_AUTH".to_owned()));
    apply(MCHID).expect("placed");
    let finish = |id: &str| {
        let members = json!({ "json/transaction_id": id, "json/out_order_no": "share-1" });
        send(&sandbox, &client, "POST", "v3/ecommerce/profitsharing/finish-order", &members)
    };
    assert_eq!(refused(finish("4200000000")), (Some(404), "RESOURCE_NOT_EXISTS".to_owned()));
    client.chain("v3/pay/transactions/native").post(native("order-2", 100, "https://example.com/n")).expect("placed");
    finish(&sandbox.pay("order-2").expect("paid")).expect("finished");
}
