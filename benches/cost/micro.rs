//! Microbenchmarks of the pure steps of a call, timed here and counted by `counts`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::{TEMPLATE, median, options};
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use wechatpay_chain::__private::bench::{Address, Template};
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{Client, Options, PrivateKey, chain, formatter, transformer};

const TARGET: &str = "/v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens";
const BODY: &[u8] = br#"{"activate_type":"AUTO_ACTIVATE","outer_str":"szwxtd"}"#;
const NONCE: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
const NOW: i64 = 1_700_000_000;

/// The input of the benchmarks. A child process gets it from its parent, since generating keys
/// takes long under valgrind.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Input {
    settings: Value,
    notification: (Vec<(String, String)>, String),
}

impl Input {
    pub(crate) fn generate() -> Self {
        let sandbox = Sandbox::start().expect("sandbox");
        let resource = json!({ "out_trade_no": "1217752501201407033233368018", "amount": { "total": 1 } });
        let notification = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &resource).expect("notification");
        let headers = notification
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()));
        Input {
            settings: sandbox.settings(),
            notification: (headers.collect(), String::from_utf8(notification.body().to_vec()).expect("text")),
        }
    }
}

type Benchmark = Box<dyn FnMut()>;

/// The benchmarks with their names. None does I/O.
pub(crate) fn all(input: Input) -> Vec<(&'static str, Benchmark)> {
    let Input { settings, notification } = input;
    let key = PrivateKey::from_pem(settings["privateKey"].as_str().expect("PEM")).expect("key");
    let client = Client::factory(settings).expect("client");
    let template = Template::parse(TEMPLATE).expect("path");
    let address = Address::default();
    let call_options = options();
    let message = formatter::request("POST", TARGET, NOW, NONCE, BODY);
    let signature = "A".repeat(344);
    let headers = |pairs: &[(&str, &str)]| -> HeaderMap {
        let pair =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().expect("name"), value.parse().expect("value"));
        pairs.iter().map(pair).collect()
    };
    let response_headers = headers(&[
        ("wechatpay-serial", "PUB_KEY_ID_0119000001092026010100000000000000"),
        ("wechatpay-signature", &signature),
        ("wechatpay-timestamp", "1700000000"),
        ("wechatpay-nonce", NONCE),
    ]);
    let public = key.public_key();
    let signed = key.sign(&message).expect("signed");
    let (notification_headers, notification_body) = notification;
    let pairs: Vec<_> = notification_headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let notification_headers = headers(&pairs);
    let verifier = client.notifications().expect("APIv3 key");
    let verified = verifier.verify(&notification_headers, notification_body.as_bytes());
    verified.expect("valid");
    let fields = json!({
        "appid": "wx8888888888888888", "mch_id": "1900000109", "body": "一本书", "out_trade_no": "1217752501201407033233368018",
        "total_fee": 888, "spbill_create_ip": "8.8.8.8", "auth_code": "120061098828009406", "nonce_str": NONCE,
    });
    let written = transformer::to_xml(&fields).expect("fields");
    let parsed = Template::parse(TEMPLATE).expect("path");
    let (filled, again, prepared) = (Options::from(&call_options), Options::from(&call_options), call_options.clone());
    let (one, two) = (client.clone(), client);
    vec![
        ("template/parse", Box::new(|| drop(black_box(Template::parse(black_box(TEMPLATE)))))),
        ("template/expand", Box::new(move || drop(black_box(template.expand(black_box(&filled)))))),
        ("options/from", Box::new(move || drop(black_box(Options::from(black_box(&call_options)))))),
        ("request/build", Box::new(move || drop(black_box(parsed.request(&address, black_box(&again)))))),
        (
            "chain!",
            Box::new(move || {
                drop(black_box(chain!(one->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens)))
            }),
        ),
        // All steps before signing, by the public API.
        (
            "call/prepare",
            Box::new(move || {
                let chain = chain!(two->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens);
                drop(black_box(chain.post_async(black_box(&prepared))));
            }),
        ),
        (
            "message/request",
            Box::new(move || {
                drop(black_box(formatter::request("POST", black_box(TARGET), NOW, NONCE, BODY)));
            }),
        ),
        (
            "authorization",
            Box::new(move || {
                drop(black_box(formatter::authorization(
                    "1900000109",
                    NONCE,
                    black_box(&signature),
                    NOW,
                    "3775B6A45ACD588826D15E583A95F5DD40E3FF01",
                )));
            }),
        ),
        (
            "verify/headers",
            Box::new(move || {
                drop(black_box(wechatpay_chain::__private::bench::signed(black_box(&response_headers), BODY, NOW)))
            }),
        ),
        (
            "verify/signature",
            Box::new({
                let message = message.clone();
                move || assert!(public.verify(black_box(&message), &signed))
            }),
        ),
        ("sign", Box::new(move || drop(black_box(key.sign(black_box(&message)))))),
        (
            "notification",
            Box::new(move || {
                // The notification is refused as a replay after it is verified and decrypted.
                drop(black_box(verifier.verify(&notification_headers, notification_body.as_bytes())));
            }),
        ),
        ("xml/write", Box::new(move || drop(black_box(transformer::to_xml(black_box(&fields)))))),
        ("xml/read", Box::new(move || drop(black_box(transformer::to_array(black_box(&written)))))),
        ("nonce", Box::new(|| drop(black_box(formatter::nonce())))),
    ]
}

/// Prints the median time of each, over samples of about ten milliseconds.
pub(crate) fn run() {
    const SAMPLES: usize = 100;
    for (name, mut run) in all(Input::generate()) {
        let mut time = |iterations: u32| {
            let began = Instant::now();
            (0..iterations).for_each(|_| run());
            began.elapsed()
        };
        let mut iterations = 1;
        while time(iterations) < Duration::from_millis(10) {
            iterations *= 2;
        }
        let samples = (0..SAMPLES).map(|_| time(iterations).as_secs_f64() * 1e9 / f64::from(iterations)).collect();
        println!("{name:<20} {:>12.0} ns", median(samples));
    }
}
