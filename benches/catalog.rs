//! The costs of the catalogue: `cargo bench --bench catalog`.
//!
//! ```text
//! first lookup     reads the first line of each record, once per process
//! later lookup     a call by its template, and by a path with values
//! check            the options of one call, without a client
//! checked call     a call that a layer ends before it is sent, with and without a check
//! ```

#![allow(clippy::expect_used, reason = "a benchmark may end by a panic")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use wechatpay_chain::catalog::{Catalog, Check};
use wechatpay_chain::sandbox::{MCHID, Sandbox};
use wechatpay_chain::{Client, Error};

const NATIVE: &str = "v3/pay/transactions/native";
const ROUNDS: u32 = 2000;

fn main() {
    let started = Instant::now();
    black_box(Catalog::builtin().find("POST", NATIVE));
    println!("first lookup                {:>10.1?}", started.elapsed());
    let catalog = Catalog::builtin();
    show("lookup by template", || black_box(catalog.find("POST", NATIVE)).is_some());
    let path = "v3/pay/transactions/out-trade-no/1217752501201407033233368018";
    show("lookup by a path with values", || black_box(catalog.find("GET", path)).is_some());
    let started = Instant::now();
    black_box(catalog.search("退款"));
    println!("first search                {:>10.1?}", started.elapsed());
    show("later search", || !black_box(catalog.search("退款")).is_empty());
    let options = json!({ "json": order() });
    show("check", || black_box(catalog.check("POST", NATIVE, &options)).is_empty());
    let sandbox = Sandbox::start().expect("a sandbox");
    let (unchecked, checked) = (client(&sandbox, Check::Off), client(&sandbox, Check::Deny));
    let call = |client: &Client| {
        let error = client.chain(NATIVE).post(options.clone()).expect_err("ended by the layer");
        error.message() == "ended"
    };
    show("call without a check", || call(&unchecked));
    show("call with a check", || call(&checked));
}

/// Prints the median time of an operation.
fn show(name: &str, mut operation: impl FnMut() -> bool) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            assert!(operation(), "{name}");
            started.elapsed()
        })
        .collect();
    times.sort();
    println!("{name:27} {:>10.1?}", times[times.len() / 2]);
}

fn order() -> Value {
    json!({
        "appid": "wxd678efh567hg6787",
        "mchid": MCHID,
        "description": "Image形象店",
        "out_trade_no": "order-1",
        "notify_url": "https://www.example.com/notify",
        "amount": { "total": 100, "currency": "CNY" },
    })
}

/// A client whose outermost layer ends each call before it is signed.
fn client(sandbox: &Sandbox, check: Check) -> Client {
    #[derive(Clone)]
    struct End;
    impl<S> tower::Layer<S> for End {
        type Service = tower::util::BoxCloneSyncService<Request<Bytes>, Response<Bytes>, Error>;
        fn layer(&self, _: S) -> Self::Service {
            let end = |_| std::future::ready(Err(Error::layer("ended")));
            tower::util::BoxCloneSyncService::new(tower::service_fn(end))
        }
    }
    sandbox.client_builder().layer(End).check(check).build().expect("a client")
}
