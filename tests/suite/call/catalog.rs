//! The catalogue of documented calls.

use wechatpay_chain::catalog::{Call, Catalog};
use wechatpay_chain::{Error, ErrorKind};

#[test]
fn a_call_is_found_in_every_notation() {
    let catalog = Catalog::builtin();
    for (method, path, template) in [
        ("POST", "v3/refund/domestic/refunds", "v3/refund/domestic/refunds"),
        ("post", "v3.refund.domestic.refunds", "v3/refund/domestic/refunds"),
        ("GET", "v3->pay->transactions->id->_transaction_id_", "v3/pay/transactions/id/{transaction_id}"),
        ("GET", "v3/pay/transactions/id/<anything>", "v3/pay/transactions/id/{transaction_id}"),
        ("GET", "/v3/pay/transactions/id/4200A1?mchid=1", "v3/pay/transactions/id/{transaction_id}"),
        ("POST", "https://api.mch.weixin.qq.com/secapi/pay/refund", "v2/secapi/pay/refund"),
        ("POST", "/secapi/pay/refund", "v2/secapi/pay/refund"),
        ("GET", "https://api.mch.weixin.qq.com/hk/v3/refunds", "v3/refunds"),
        ("POST", "v3/applyment4sub/applyment/", "v3/applyment4sub/applyment/{empty}"),
        ("POST", "v3/marketing/membercardOpen/cards", "v3/marketing/membercard-open/cards"),
        // Names of variables decide where two templates have the same shape.
        (
            "POST",
            "v3/apply4subject/applyment/{business_code}/cancel",
            "v3/apply4subject/applyment/{business_code}/cancel",
        ),
        (
            "POST",
            "v3/apply4subject/applyment/{applyment_id}/cancel",
            "v3/apply4subject/applyment/{applyment_id}/cancel",
        ),
        // A variable with one value.
        ("POST", "v2/secapi/mch/modifyInstitutionsub", "v2/secapi/mch/{modifyinstitutionsub}"),
        ("POST", "v2/secapi/mch/{queryinstitutionsub}", "v2/secapi/mch/{queryinstitutionsub}"),
        // A name is preferred to a variable.
        ("POST", "v3/transfer/bill-receipt", "v3/transfer/bill-receipt"),
    ] {
        let found = catalog.find(method, path).and_then(|call| call.template());
        assert_eq!(found, Some(template), "{method} {path}");
    }
    for (method, path) in [
        ("DELETE", "v3/refund/domestic/refunds"),
        ("GET", "v3/refund/domestic"),
        ("GET", "v3/{x}/transactions/id/{transaction_id}"),
        ("POST", "v2/secapi/mch/nothing"),
        ("POST", "secapi/pay/refund"),
        ("GET", ""),
        ("GET", "/"),
        ("", "v3/certificates"),
    ] {
        assert!(catalog.find(method, path).is_none(), "{method} {path}");
    }
}

#[test]
fn every_call_is_found_by_its_template_and_with_values() {
    let catalog = Catalog::builtin();
    assert_eq!((catalog.calls().len(), catalog.notifications().len()), (1147, 112));
    let mut found = 0;
    for call in catalog.calls() {
        let Some(template) = call.template() else { continue };
        let by_template = catalog.find(call.method(), template).expect(template);
        assert_eq!(by_template.template(), Some(template));
        found += 1;
    }
    assert_eq!(found, 1143);
}

#[test]
fn notifications_are_found_by_event_type_and_name() {
    let catalog = Catalog::builtin();
    let notification = catalog.notification("COUPON.SEND").expect("documented");
    assert_eq!(notification.name(), "v3/COUPON.SEND");
    assert_eq!(notification.original_types(), ["coupon"]);
    assert!(notification.resource().iter().any(|field| field.name == "coupon_code" && field.required));
    assert!(notification.headers().iter().any(|field| field.name == "Wechatpay-Signature"));
    assert!(notification.reply().iter().any(|field| field.name == "body"));
    let refund = catalog.notification("v2/refund-processed").expect("documented");
    assert!(refund.resource().iter().any(|field| field.name == "refund_status"));
    assert_eq!(catalog.notification("TRANSACTION.SUCCESS").map(|found| found.name()), Some("v3/TRANSACTION.SUCCESS"));
    assert!(catalog.notification("NOTHING").is_none());
}

/// The text of a small catalogue, with these lines below its only call.
fn text(lines: &str) -> String {
    format!("# wechatpay-chain catalogue, format 1\n# A comment.\n\nPOST v3/orders Orders\n{lines}")
}

#[test]
fn a_catalogue_from_outside_is_checked() {
    let catalog = Catalog::from_text(text(" json!\n  id string! = A|B C\n response json\n")).expect("a catalogue");
    assert_eq!(catalog.find("POST", "v3/orders").expect("the call").title(), "Orders");
    // With the line ends of Windows.
    assert!(Catalog::from_text(text(" json!\n  id string!\n").replace('\n', "\r\n")).is_ok());
    let reason = |result: Result<Catalog, Error>| {
        let error = result.expect_err("rejected");
        assert_eq!(error.kind(), ErrorKind::Config);
        error.message().to_owned()
    };
    for (lines, expected) in [
        ("  id string\n", "line 5: the indentation is wrong"),
        (" json\n   id string\n", "line 6: the indentation is wrong"),
        (" json\n  id text\n", "line 6: the type \"text\" is unknown"),
        (" json\n  id string secret\n", "line 6: the mark \"secret\" is unknown"),
        (" json\n  id string json twice\n", "line 6: a field has the form"),
        (" form\n", "line 5: the keyword \"form\" is unknown"),
        (" response page\n", "line 5: the kind of response \"page\" is unknown"),
        ("\nPOST v3/orders\n", "line 6: a record begins with"),
    ] {
        let message = reason(Catalog::from_text(text(lines)));
        assert!(message.contains(expected), "{lines:?}: {message}");
    }
    assert!(reason(Catalog::from_text("")).contains("line 1: the first line"));
    assert!(reason(Catalog::from_path("/nowhere/catalog.txt")).contains("cannot be read"));
    let deep: String = (1..200).map(|depth| format!("{:depth$}x object\n", "")).collect();
    assert!(
        reason(Catalog::from_text(text(&deep.replacen(" x object", " json", 1)))).contains("the indentation is wrong")
    );
}

/// What a merchant would type, and the call that is meant.
const QUERIES: [(&str, &str); 40] = [
    ("退款", "POST v3/refund/domestic/refunds"),
    ("申请退款", "POST v3/refund/domestic/refunds"),
    ("查询退款", "GET v3/refund/domestic/refunds/{out_refund_no}"),
    ("关闭订单", "POST v3/pay/transactions/out-trade-no/{out_trade_no}/close"),
    ("JSAPI下单", "POST v3/pay/transactions/jsapi"),
    ("Native下单", "POST v3/pay/transactions/native"),
    ("h5 下单", "POST v3/pay/transactions/h5"),
    ("付款码支付", "POST v3/pay/transactions/codepay"),
    ("商户订单号查询订单", "GET v3/pay/transactions/out-trade-no/{out_trade_no}"),
    ("交易账单", "GET v3/bill/tradebill"),
    ("资金账单", "GET v3/bill/fundflowbill"),
    ("商家转账", "POST v3/fund-app/mch-transfer/transfer-bills"),
    ("请求分账", "POST v3/profitsharing/orders"),
    ("添加分帐接收方", "POST v3/profitsharing/receivers/add"),
    ("平台证书", "GET v3/certificates"),
    ("合单关闭订单", "POST v3/combine-transactions/out-trade-no/{combine_out_trade_no}/close"),
    ("图片上传", "POST v3/merchant/media/upload"),
    ("创建支付分订单", "POST v3/payscore/serviceorder"),
    ("发放普通红包", "POST v2/mmpaymkttransfers/sendredpack"),
    ("下载账单", "GET v3/billdownload/file"),
    ("查询结算账户", "GET v3/apply4sub/sub_merchants/{sub_mchid}/settlement"),
    ("投诉列表", "GET v3/merchant-service/complaints-v2"),
    ("refund", "POST v3/refund/domestic/refunds"),
    ("native", "POST v3/pay/transactions/native"),
    ("certificates", "GET v3/certificates"),
    ("close order", "POST v3/pay/transactions/out-trade-no/{out_trade_no}/close"),
    ("jsapi", "POST v3/pay/transactions/jsapi"),
    ("tradebill", "GET v3/bill/tradebill"),
    ("fundflow bill", "GET v3/bill/fundflowbill"),
    ("profitsharing", "POST v3/profitsharing/orders"),
    ("transfer bills", "POST v3/fund-app/mch-transfer/transfer-bills"),
    ("complaint", "GET v3/merchant-service/complaints-v2"),
    ("serviceorder", "POST v3/payscore/serviceorder"),
    ("sendredpack", "POST v2/mmpaymkttransfers/sendredpack"),
    ("unifiedorder", "POST v2/pay/unifiedorder"),
    ("refnd", "POST v3/refund/domestic/refunds"),
    ("certficates", "GET v3/certificates"),
    ("out_refund_no", "GET v3/refund/domestic/refunds/{out_refund_no}"),
    ("modify settlement", "POST v3/apply4sub/sub_merchants/{sub_mchid}/modify-settlement"),
    ("combine transactions jsapi", "POST v3/combine-transactions/jsapi"),
];

#[test]
fn the_call_that_is_meant_is_among_the_first_three() {
    let catalog = Catalog::builtin();
    let (mut first, mut missed) = (0, Vec::new());
    for (query, expected) in QUERIES {
        let found: Vec<String> = catalog.search(query).into_iter().take(3).map(name).collect();
        first += usize::from(found.first().is_some_and(|found| found == expected));
        if !found.iter().any(|found| found == expected) {
            missed.push(format!("{query}: {found:#?}"));
        }
    }
    println!("{} queries, {first} first", QUERIES.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

fn name(call: &Call) -> String {
    format!("{} {}", call.method(), call.template().unwrap_or(call.title()))
}

#[test]
fn each_event_type_of_the_documentation_is_a_constant() {
    use wechatpay_chain::notify::event_type;
    let notifications = Catalog::builtin().notifications().filter(|found| found.name().starts_with("v3/"));
    let documented: std::collections::BTreeSet<&str> =
        notifications.flat_map(|found| found.event_types().iter().map(String::as_str)).collect();
    assert_eq!(documented.into_iter().collect::<Vec<_>>(), event_type::ALL);
    assert_eq!(event_type::TRANSACTION_SUCCESS, "TRANSACTION.SUCCESS");
    let source = include_str!("../../../src/notify/event_type.rs");
    for event in event_type::ALL {
        assert!(source.contains(&format!("    {} = {event:?};\n", event.replace('.', "_"))), "{event}");
    }
}

#[test]
fn a_search_without_a_result_is_empty() {
    for query in ["", "  ", "qqqqqqqqqq", "🦀", &"长".repeat(10_000)] {
        assert!(Catalog::builtin().search(query).is_empty(), "{query:.20}");
    }
}
