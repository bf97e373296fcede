//! The examples in the PHP SDK's documentation are ported and run against the sandbox.

use std::path::Path;
use std::process::{Command, Output};

use http::StatusCode;
use serde_json::{Value, json};
use wechatpay_chain::crypto::{Apiv3Key, PublicKey, hash};
use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};

use crate::port::rustc::{Compiler, Folder, folder, ported};
use crate::support::sandbox;

/// A sandbox, and the folder that replaces `/path/to` in the examples.
struct Environment {
    sandbox: Sandbox,
    folder: Folder,
}

impl Environment {
    fn new(name: &str) -> Self {
        let environment = Environment { sandbox: sandbox(), folder: folder(&format!("examples-{name}")) };
        let settings = environment.sandbox.settings();
        environment.write("merchant/apiclient_key.pem", pem(&settings["privateKey"]));
        environment.write("merchant/apiclient_cert.pem", pem(&settings["merchant"]["cert"]));
        environment.write("wechatpay/pub_key.pem", pem(&settings["certs"][PUBLIC_KEY_ID]));
        environment.write("root.pem", environment.sandbox.root_certificate());
        environment
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
        std::fs::write(path, contents).expect("written");
    }

    /// Ports, compiles and runs an example. Returns what it prints.
    fn run(&self, example: &str, variables: &[(&str, &str)]) -> String {
        let output = self.output(example, &self.sandbox.base_uri(), variables);
        let (printed, message) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{example}: {printed}{message}");
        assert_eq!(message, "", "{example}");
        printed
    }

    fn output(&self, example: &str, base_uri: &str, variables: &[(&str, &str)]) -> Output {
        let php = std::fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port").join(example).with_extension("php"),
        )
        .expect("the example");
        let php = php.replace("/path/to", self.folder.to_str().expect("path"));
        let source = self.folder.join(example).with_extension("rs");
        std::fs::write(&source, ported(&php)).expect("written");
        let program = Compiler::get().compile(&source, &["wechatpay_chain", "serde_json"]);
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.to_lowercase().ends_with("_proxy")) {
            command.env_remove(name);
        }
        command.env("WXPAY_BASE_URI", base_uri).envs(variables.iter().copied()).output().expect("ran")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn pem(value: &Value) -> &str {
    value.as_str().expect("PEM")
}

fn parse_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Places and pays an order. Returns the transaction ID.
fn place_and_pay(sandbox: &Sandbox, out_trade_no: &str, total: u64) -> String {
    let order = json!({
        "mchid": "1900000109", "out_trade_no": out_trade_no, "appid": "wxdace645e0bc2c424", "description": "a book",
        "notify_url": sandbox.base_uri(), "amount": { "total": total },
    });
    sandbox
        .client()
        .expect("client")
        .chain("v3/pay/transactions/native")
        .post(json!({ "json": order }))
        .expect("order");
    sandbox.pay(out_trade_no).expect("paid")
}

#[test]
fn the_certificates_are_downloaded() {
    let environment = Environment::new("certificates");
    let certificate = environment.sandbox.rotate_certificate().expect("certificate");
    environment.write("wechatpay/cert.pem", certificate.pem());
    let printed = parse_json(&environment.run("certificates", &[]));
    assert_eq!(printed["data"][0]["serial_no"], certificate.serial());
    let requests = environment.sandbox.requests();
    assert_eq!((requests.len(), requests[0].target.as_str()), (1, "/v3/certificates"));
    assert!(requests[0].headers.contains_key("authorization"));
}

#[test]
fn an_order_and_an_error_response_are_printed() {
    let environment = Environment::new("native");
    let printed = environment.run("native", &[]);
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[0], "200", "{printed}");
    assert!(parse_json(lines[1])["code_url"].as_str().is_some_and(|url| url.starts_with("weixin://")), "{printed}");
    assert!(lines[2].contains("v3/pay/transactions/native") && !printed.contains("not expected"), "{printed}");
    assert_eq!(lines[3], "403 Forbidden", "{printed}");
    assert!(parse_json(lines[4])["code"].is_string(), "{printed}");
    let requests = environment.sandbox.requests();
    let statuses: Vec<_> = requests.iter().map(|request| request.status).collect();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::FORBIDDEN]);
    let body = parse_json(&text(&requests[0].body));
    assert_eq!(body["description"], "Image形象店-深圳腾大-QQ公仔");
    assert_eq!(body["amount"], json!({ "total": 1, "currency": "CNY" }));
}

#[test]
fn promises_replace_path_variables() {
    let environment = Environment::new("close");
    let client = environment.sandbox.client().expect("client");
    let order = json!({
        "mchid": "1900000109", "out_trade_no": "1217752501201407033233368018", "appid": "wxdace645e0bc2c424",
        "description": "a book", "notify_url": "https://example.com/", "amount": { "total": 7 },
    });
    client.chain("v3/pay/transactions/native").post(json!({ "json": order })).expect("order");
    assert_eq!(environment.run("close", &[]), "NOTPAY 7\n204\n");
    let requests = environment.sandbox.requests();
    assert_eq!(requests[1].target, "/v3/pay/transactions/out-trade-no/1217752501201407033233368018?mchid=1900000109");
    assert_eq!(requests[2].target, "/v3/pay/transactions/out-trade-no/1217752501201407033233368018/close");
    assert_eq!(text(&requests[2].body), r#"{"mchid":"1900000109"}"#);

    // Without the order, `otherwise` is called.
    let empty = Environment::new("close-empty");
    let output = empty.output("close", &empty.sandbox.base_uri(), &[]);
    let printed = text(&output.stdout);
    assert!(printed.contains("404 Not Found") && printed.contains("ORDER_NOT_EXIST"), "{printed}");
    assert!(!output.status.success(), "the second call is not caught");
    assert!(text(&output.stderr).contains("ORDER_NOT_EXIST"), "{}", text(&output.stderr));
}

#[test]
fn a_refund_is_made_asynchronously() {
    let environment = Environment::new("refund");
    let transaction = place_and_pay(&environment.sandbox, "order-1", 888);
    let printed = environment.run("refund", &[("WXPAY_TRANSACTION_ID", &transaction)]);
    let response = parse_json(&printed);
    assert_eq!((&response["amount"]["refund"], &response["transaction_id"]), (&json!(888), &json!(transaction)));
    environment.sandbox.audit().expect("balance");

    let printed = environment.run("refund", &[("WXPAY_TRANSACTION_ID", "4200000000000000000000000000")]);
    assert!(printed.contains("404 Not Found") && printed.ends_with("}\n\n\n"), "{printed}");
}

#[test]
fn files_are_uploaded_and_downloaded() {
    let environment = Environment::new("upload");
    environment.write("video.mp4", "a video");
    environment.write("image.jpg", "BM, an image");
    assert_eq!(environment.run("upload", &[]), "200\n200\nuploaded\n");
    let requests = environment.sandbox.requests();
    assert_eq!(requests[0].target, "/v3/merchant/media/video_upload");
    assert!(text(&requests[0].body).contains("filename=\"video.mp4\""));
    assert_eq!(requests[1].target, "/v3/merchant-service/images/upload");
    assert_eq!(std::fs::read(environment.folder.join("saved.jpg")).expect("saved"), b"BM, an image");
}

#[test]
fn sensitive_fields_are_encrypted_and_decrypted() {
    let environment = Environment::new("sensitive");
    let key = PublicKey::from_pem(pem(&environment.sandbox.settings()["certs"][PUBLIC_KEY_ID])).expect("key");
    assert_eq!(key.spki(), environment.sandbox.platform_key().spki());
    let encrypted = environment.sandbox.merchant_key().public_key().encrypt("李四".as_bytes()).expect("encrypted");
    let response = json!({ "applyment_id": 2000002124775691_u64, "contact_name": encrypted });
    environment.sandbox.stub("POST", "v3/applyment4sub/applyment/", 200, response);
    assert_eq!(environment.run("sensitive", &[]), "2000002124775691\n李四\n");
    let requests = environment.sandbox.requests();
    assert_eq!(requests[0].headers["wechatpay-serial"], PUBLIC_KEY_ID);
    let body = parse_json(&text(&requests[0].body));
    assert_eq!(body["business_code"], "APL_98761234");
    for (field, plain) in [
        ("contact_name", "张三"),
        ("contact_id_number", "110102198001018888"),
        ("mobile_phone", "13000000000"),
        ("contact_email", "abc123@example.com"),
    ] {
        let encrypted = body["contact_info"][field].as_str().expect("encrypted");
        assert_eq!(environment.sandbox.decrypt(PUBLIC_KEY_ID, encrypted).expect("decrypted"), plain, "{field}");
    }
}

#[test]
fn payment_parameters_are_signed() {
    use base64::Engine;
    let environment = Environment::new("jsapi");
    let printed = environment.run("jsapi", &[]);
    let params = parse_json(&printed);
    let names: Vec<_> = params.as_object().expect("object").keys().map(String::as_str).collect();
    assert_eq!(names, ["appId", "timeStamp", "nonceStr", "package", "paySign", "signType"]);
    let signed: String = names[..4].iter().map(|name| format!("{}\n", params[*name].as_str().expect("text"))).collect();
    let signature =
        base64::engine::general_purpose::STANDARD.decode(params["paySign"].as_str().expect("text")).expect("base64");
    assert!(environment.sandbox.merchant_key().public_key().verify(signed.as_bytes(), &signature), "{printed}");
    assert_eq!(params["signType"], "RSA");
}

#[test]
fn a_notification_is_verified_and_decrypted() {
    let environment = Environment::new("notification");
    let resource = json!({ "out_trade_no": "一", "amount": { "total": 1 } });
    let notification =
        environment.sandbox.notification("TRANSACTION.SUCCESS", "transaction", &resource).expect("notification");
    let header = |name: &str| notification.headers()[name].to_str().expect("text").to_owned();
    environment.write("notification.json", notification.body());
    let settings = environment.sandbox.settings();
    let (signature, timestamp, nonce) =
        (header("wechatpay-signature"), header("wechatpay-timestamp"), header("wechatpay-nonce"));
    let key = settings["apiv3_key"].as_str().expect("key");
    Apiv3Key::new(key).expect("a key");
    let run = |timestamp: &str| {
        let variables = [
            ("HTTP_WECHATPAY_SIGNATURE", signature.as_str()),
            ("HTTP_WECHATPAY_TIMESTAMP", timestamp),
            ("HTTP_WECHATPAY_NONCE", &nonce),
            ("WXPAY_APIV3_KEY", key),
        ];
        environment.run("notification", &variables)
    };
    let printed = run(&timestamp);
    assert!(printed.contains("out_trade_no") && printed.contains("一"), "{printed}");
    assert_eq!(run("1"), "forged\n");
    let later = (timestamp.parse::<i64>().expect("number") + 1).to_string();
    assert_eq!(run(&later), "forged\n");
}

#[test]
fn a_v2_transfer_presents_the_certificate() {
    let environment = Environment::new("v2_transfers");
    let secret = environment.sandbox.settings()["secret"].as_str().expect("secret").to_owned();
    let response =
        json!({ "return_code": "SUCCESS", "result_code": "SUCCESS", "payment_no": "1000018301201505190181489473" });
    environment.sandbox.stub("POST", "v2/mmpaymkttransfers/promotion/transfers", 200, response);
    let output = environment.output("v2_transfers", &environment.sandbox.tls_base_uri(), &[("WXPAY_SECRET", &secret)]);
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    assert!(printed.ends_with("1000018301201505190181489473\n"), "{printed}");
    let body = text(&environment.sandbox.requests()[0].body);
    assert!(body.starts_with("<xml><mch_appid>wx8888888888888888</mch_appid><mchid>1900000109</mchid>"), "{body}");
    assert!(body.contains("<re_user_name>王小王</re_user_name><amount>10099</amount>"), "{body}");

    // An error of the service is passed to `otherwise`.
    let refusal =
        json!({ "return_code": "SUCCESS", "result_code": "FAIL", "err_code": "NOTENOUGH", "err_code_des": "余额不足" });
    environment.sandbox.stub("POST", "v2/mmpaymkttransfers/promotion/transfers", 200, refusal);
    let output = environment.output("v2_transfers", &environment.sandbox.tls_base_uri(), &[("WXPAY_SECRET", &secret)]);
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    assert!(printed.contains("NOTENOUGH") && printed.ends_with("none\n"), "{printed}");
}

#[test]
fn a_v2_payment_and_a_failed_refund_are_printed() {
    let environment = Environment::new("v2_pay");
    let secret = environment.sandbox.settings()["secret"].as_str().expect("secret").to_owned();
    environment.sandbox.stub(
        "POST",
        "v2/pay/micropay",
        200,
        json!({
            "return_code": "SUCCESS", "result_code": "SUCCESS", "transaction_id": "1008450740201411110005820873",
        }),
    );
    let output = environment.output("v2_pay", &environment.sandbox.tls_base_uri(), &[("WXPAY_SECRET", &secret)]);
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    let (first, second) = printed.split_once('\n').expect("two lines");
    assert_eq!(first, "1008450740201411110005820873");
    assert!(second.starts_with("refused: ") && second.contains("ORDERNOTEXIST"), "{printed}");
    let requests = environment.sandbox.requests();
    assert!(text(&requests[0].body).contains("<total_fee>888</total_fee>"));
    assert_eq!(requests[1].target, "/secapi/pay/refund");
}

#[test]
fn a_v2_notification_is_verified_and_decrypted() {
    let environment = Environment::new("v2_notification");
    let settings = environment.sandbox.settings();
    let secret = settings["secret"].as_str().expect("secret");
    let info = "<root><out_refund_no>131811191610442717309</out_refund_no></root>";
    let key = wechatpay_chain::Secret::from(hash::md5(secret));
    let encrypted = wechatpay_chain::crypto::aes_ecb::encrypt(info.as_bytes(), &key).expect("encrypted");
    let fields =
        json!({ "return_code": "SUCCESS", "mch_id": "1900000109", "sign_type": "HMAC-SHA256", "req_info": encrypted });
    let body = environment.sandbox.notification_v2(&fields).expect("notification");
    environment.write("notification.xml", &body);
    let printed = environment.run("v2_notification", &[("WXPAY_SECRET", secret)]);
    assert!(printed.contains("131811191610442717309"), "{printed}");
    let response = "<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg></xml>";
    assert!(printed.ends_with(response), "{printed}");

    // A changed notification.
    environment.write("notification.xml", text(&body).replace("1900000109", "1900000108"));
    assert_eq!(environment.run("v2_notification", &[("WXPAY_SECRET", secret)]), response);
}

#[test]
fn v2_signs_are_calculated() {
    let environment = Environment::new("v2_sign");
    let printed = environment.run("v2_sign", &[]);
    let key = wechatpay_chain::Secret::from("exposed_your_key_here_have_risks".to_owned());
    let sign = |fields: &[(&str, &str)]| {
        let text =
            wechatpay_chain::formatter::query_string_like(wechatpay_chain::formatter::ksort(fields.iter().copied()));
        hash::sign(hash::HMAC_SHA256, &text, &key).expect("signed")
    };
    let lines: Vec<Value> = printed.lines().map(parse_json).collect();
    let expected = sign(&[
        ("send_coupon_merchant", "10016226"),
        ("out_request_no0", "1234567"),
        ("stock_id0", "abc123"),
        ("out_request_no1", "7654321"),
        ("stock_id1", "321cba"),
    ]);
    assert_eq!(lines[0]["sign"], expected.as_str(), "{printed}");
    assert_eq!(lines[0]["send_coupon_params"][1]["stock_id"], "321cba");
    let expected = sign(&[
        ("stock_id", "12111100000001"),
        ("out_request_no", "20191204550002"),
        ("send_coupon_merchant", "10016226"),
        ("open_id", "oVvBvwEurkeUJpBzX90-6MfCHbec"),
        ("coupon_code", "75345199"),
    ]);
    assert_eq!(lines[1]["sign"], expected.as_str(), "{printed}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_script_with_functions_runs() {
    let environment = Environment::new("shop");
    place_and_pay(&environment.sandbox, "paid-1", 90);
    environment.sandbox.file("v3/billdownload/file", 1000);
    let url = format!("{}v3/billdownload/file?token=abc", environment.sandbox.base_uri());
    environment.sandbox.stub("GET", "v3/bill/tradebill", 200, json!({ "download_url": url }));
    let output = environment.output("shop", &environment.sandbox.base_uri(), &[]);
    let (printed, message) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{printed}{message}");
    let expected = "shop-1 weixin://\nshop-2 weixin://\nshop-1: NOTPAY\nshop-2: NOTPAY\nshop-3: 404 ORDER_NOT_EXIST\n\
                    Rpaid-1 30 of 90\nno refund\nsecond 200\nfirst 200\nwhole\n";
    assert_eq!(printed, expected, "{message}");
    assert!(message.contains("refund of shop-2: "), "{message}");
    let order = environment
        .sandbox
        .requests()
        .into_iter()
        .find(|request| text(&request.body).contains("shop-2"))
        .expect("order");
    let order = parse_json(&text(&order.body));
    assert_eq!(order["detail"]["goods_detail"][0]["merchant_goods_id"], "g250");
    assert_eq!(order["description"], "订单 shop-2");
    environment.sandbox.audit().expect("balance");
}
