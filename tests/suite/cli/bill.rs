//! `wxpay bill`: downloads a bill and prints its rows.

use std::io::Write as _;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, Sandbox};

use super::{Settings, text};
use crate::support::{each_hint_names_its_condition, sandbox};

/// A sandbox with a payment and a refund, whose bills exist, and the date of the payment.
fn sandbox_with_bills() -> (Sandbox, String) {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let order = json!({
        "appid": "wxd678efh567hg6787", "mchid": "1900000109", "description": "pen, \"blue\"", "out_trade_no": "order-1",
        "notify_url": "http://127.0.0.1:9/notify", "amount": { "total": 1230 },
    });
    client.chain("v3/pay/transactions/native").post(json!({ "json": order })).expect("ordered");
    sandbox.pay("order-1").expect("paid");
    let refund = json!({
        "out_trade_no": "order-1", "out_refund_no": "refund-1",
        "amount": { "refund": 30, "total": 1230, "currency": "CNY" },
    });
    client.chain("v3/refund/domestic/refunds").post(json!({ "json": refund })).expect("refunded");
    sandbox.control("bills", &json!({})).expect("bills");
    let query = json!({ "query": { "mchid": "1900000109" } });
    let paid: Value =
        client.chain("v3/pay/transactions/out-trade-no/order-1").get(query).expect("paid").json().expect("JSON");
    (sandbox, paid["success_time"].as_str().expect("a time")[..10].to_owned())
}

#[test]
fn rows_are_printed_as_csv_or_json() {
    let (sandbox, date) = sandbox_with_bills();
    let settings = Settings::new(&sandbox);
    let run = |arguments: &[&str]| {
        let output = settings.run(&[&["bill", &date], arguments].concat(), "");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let bill: Value = serde_json::from_str(&run(&["--json"]).0).expect("JSON");
    let rows = bill["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["商户订单号"], "order-1");
    assert_eq!((&rows[0]["商品名称"], &rows[0]["订单金额"]), (&json!("pen, \"blue\""), &json!("12.30")));
    assert_eq!((&rows[1]["商户退款单号"], &rows[1]["退款金额"]), (&json!("refund-1"), &json!("0.30")));
    assert_eq!((&bill["summary"]["总交易单数"], &bill["summary"]["订单总金额"]), (&json!("2"), &json!("12.30")));
    let target =
        sandbox.requests().iter().find(|request| request.target.contains("tradebill")).map(|r| r.target.clone());
    assert_eq!(target, Some(format!("/v3/bill/tradebill?bill_date={date}&bill_type=ALL&tar_type=GZIP")));

    for arguments in [&[][..], &["--csv"]] {
        let (csv, notes) = run(arguments);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 3, "{csv}");
        assert!(lines[0].starts_with("交易时间,公众账号ID,商户号"), "{csv}");
        assert!(lines[1].contains(",order-1,") && lines[1].contains(",\"pen, \"\"blue\"\"\",,"), "{csv}");
        assert!(!csv.contains(['`', '\r', '\u{feff}']), "{csv}");
        assert!(notes.contains("总交易单数 2, 应结订单总金额 12.30"), "{notes}");
    }
    let (refunds, _) = run(&["--type", "refund"]);
    assert_eq!(refunds.lines().count(), 2, "{refunds}");
    let (raw, notes) = run(&["--raw"]);
    assert!(raw.starts_with('\u{feff}') && raw.contains("\r\n`") && raw.contains(",`pen, \"blue\",`"), "{raw}");
    assert_eq!(notes, "");
    let (fund_flow, _) = run(&["--account", "BASIC", "--json"]);
    let fund_flow: Value = serde_json::from_str(&fund_flow).expect("JSON");
    assert_eq!(fund_flow["rows"][1]["收支金额(元)"], "0.30");
    let path = settings.path("bill.csv");
    let (printed, notes) = run(&["--raw", "-o", &path]);
    assert_eq!((printed.as_str(), std::fs::read_to_string(&path).expect("file")), ("", raw));
    assert!(notes.contains("bytes written to"), "{notes}");
    // A payment can be dated to another day, whose bill contains it alone.
    let order = json!({
        "appid": "wxd678efh567hg6787", "mchid": "1900000109", "description": "ink", "out_trade_no": "order-2",
        "notify_url": "http://127.0.0.1:9/notify", "amount": { "total": 5 },
    });
    let client = sandbox.client().expect("client");
    client.chain("v3/pay/transactions/native").post(json!({ "json": order })).expect("ordered");
    for refused in [json!(-1), json!(91), json!("1"), json!(1.5)] {
        let fields = json!({ "out_trade_no": "order-2", "days_ago": refused });
        let error = sandbox.control("pay", &fields).expect_err("a number of days");
        assert_eq!(error.message(), "\"days_ago\" must be an integer from 0 to 90");
    }
    sandbox.control("pay", &json!({ "out_trade_no": "order-2", "days_ago": 2 })).expect("paid");
    let query = json!({ "query": { "mchid": "1900000109" } });
    let paid: Value =
        client.chain("v3/pay/transactions/out-trade-no/order-2").get(query).expect("paid").json().expect("JSON");
    let day = &paid["success_time"].as_str().expect("a time")[..10];
    assert_ne!(day, date);
    let earlier = settings.run(&["bill", day, "--json"], "");
    let earlier: Value = serde_json::from_slice(&earlier.stdout).expect("JSON");
    assert_eq!(earlier["rows"].as_array().map(Vec::len), Some(1), "{earlier:#}");
    assert_eq!(earlier["rows"][0]["商户订单号"], "order-2");
    sandbox.audit().expect("consistent");
    // `today` and `yesterday` are days in China.
    let today = settings.run(&["bill", "today", "--csv"], "");
    let yesterday = settings.run(&["bill", "yesterday", "--csv"], "");
    assert!(today.status.success() || yesterday.status.success(), "{}{}", text(&today.stderr), text(&yesterday.stderr));
}

/// Announces a bill with the digest of `announced`, and serves `file` for the next download.
fn serve(sandbox: &Sandbox, announced: &[u8], file: &[u8]) {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, announced);
    let sha1: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let url = format!("{}v3/billdownload/file?token=x", sandbox.base_uri());
    sandbox.stub(
        "GET",
        "v3/bill/tradebill",
        200,
        json!({ "download_url": url, "hash_type": "SHA1", "hash_value": sha1 }),
    );
    sandbox.inject(Fault::Tamper(Box::new(|_| {})));
    let response = Response::builder().status(200).body(Bytes::copy_from_slice(file)).expect("response");
    sandbox.inject(Fault::Gateway(response));
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn half_a_bill_is_never_printed() {
    const BILL: &str = "交易时间,商户订单号\r\n`2026-11-29,`order-1\r\n总交易单数,订单总金额\r\n`1,`12.30\r\n";
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let path = settings.path("bill.csv");
    let run = |announced: &str, file: &[u8], arguments: &[&str]| {
        serve(&sandbox, announced.as_bytes(), file);
        let output = settings.run(&[&["bill", "2026-11-29"], arguments].concat(), "");
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, printed, notes) = run(BILL, &gzip(BILL), &[]);
    assert_eq!((code, printed.as_str()), (Some(0), "交易时间,商户订单号\n2026-11-29,order-1\n"), "{notes}");
    assert_eq!(run(BILL, BILL.as_bytes(), &["--raw"]).1, BILL, "a file that is not compressed");
    let cut = &BILL[..BILL.find("总交").expect("the summary")];
    let changed = BILL.replace("order-1", "order-2");
    for arguments in [&[][..], &["--json"], &["-o", &path]] {
        // The digest of the file is valid, but the bill is not complete.
        let (code, printed, notes) = run(cut, &gzip(cut), arguments);
        assert_eq!((code, printed.as_str()), (Some(1), ""), "{notes}");
        assert!(notes.contains("not a complete bill"), "{notes}");
    }
    for arguments in [&[][..], &["--raw"], &["--raw", "-o", &path]] {
        for file in [gzip(&changed), gzip(cut), gzip(BILL)[..40].to_vec(), b"\xff\xfe".to_vec()] {
            let (code, printed, notes) = run(BILL, &file, arguments);
            assert_eq!((code, printed.as_str()), (Some(6), ""), "{notes}");
        }
    }
    assert!(!std::path::Path::new(&path).exists());
}

#[test]
fn a_bill_of_a_sub_merchant_is_decrypted() {
    let sandbox = sandbox();
    sandbox.stub("GET", "v3/bill/sub-merchant-fundflowbill", 200, json!({ "download_bill_count": 0 }));
    let settings = Settings::new(&sandbox);
    let output = settings.run(&["bill", "2026-11-29", "--account", "deposit", "--sub-mchid", "1900000110"], "");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let target = sandbox.requests().last().expect("a request").target.clone();
    assert_eq!(
        target,
        "/v3/bill/sub-merchant-fundflowbill?bill_date=2026-11-29&sub_mchid=1900000110&account_type=DEPOSIT\
         &algorithm=AEAD_AES_256_GCM&tar_type=GZIP"
    );
}

#[test]
fn errors_name_the_remedy() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let run = |arguments: &[&str]| {
        let output = settings.run(&[&["bill"], arguments].concat(), "");
        assert_eq!(text(&output.stdout), "");
        (output.status.code(), text(&output.stderr))
    };
    let failed = |code: i32, arguments: &[&str]| {
        let (actual, message) = run(arguments);
        assert_eq!(actual, Some(code), "{arguments:?}: {message}");
        message
    };
    each_hint_names_its_condition(&[
        ("the account DEPOSIT belongs to a sub-merchant: give it with --sub-mchid", {
            failed(2, &["2026-11-29", "--account", "DEPOSIT"])
        }),
        ("is not a date such as 2026-11-29, yesterday or today", failed(2, &["20261129"])),
        ("2026-11-31 is not a day of the calendar", failed(2, &["2026-11-31"])),
        ("exists from about 10:00 of the next day, in China's time zone", failed(5, &["2026-11-29"])),
        ("the bill is not valid UTF-8: --raw prints it unchanged", {
            serve(&sandbox, b"\xff\xff", b"\xff\xff");
            failed(1, &["2026-11-29"])
        }),
    ]);
    failed(2, &["2026-11-29", "--type", "ALL", "--account", "BASIC"]);
    failed(2, &["2026-11-29", "--json", "--raw"]);
    failed(2, &["2026-11-29", "--json", "--csv"]);
    assert_eq!(sandbox.requests().len(), 3, "nothing else was sent");
}
