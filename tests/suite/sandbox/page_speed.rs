//! The time to refresh the page with many orders.

use std::io::Write;

use serde_json::json;
use wechatpay_chain::sandbox::MCHID;

use super::native;
use super::webdriver::browser;
use crate::support::start;

/// The time of a refresh with 10,000 orders:
/// `cargo test --all-features --test suite -- refresh_with_10000_orders --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn refresh_with_10000_orders() {
    let Some(browser) = browser() else { return };
    let (sandbox, client) = start();
    let orders = client.chain("v3/pay/transactions/native");
    for number in 0..10_000 {
        orders.post(native(&format!("order-{number:05}"), 1, "http://127.0.0.1:9/n")).expect("placed");
    }
    browser.command("/url", &json!({ "url": sandbox.base_uri() }));
    for view in [
        "orders",
        "orders?search=order-0123",
        "orders?page=150",
        "calls",
        "controls",
        &format!("orders/{MCHID}%2Forder-05000"),
        "calls/5000",
    ] {
        browser.visit(view);
        // The time from the request to the drawn page. The view is built again each time.
        let script = "(async () => {
            const times = [];
            for (let round = 0; round < 20; round++) {
                clearView(); drawn = {};
                const began = performance.now();
                await refresh();
                document.body.offsetHeight;
                times.push(performance.now() - began);
            }
            then(times.sort((a, b) => a - b));
        })();";
        std::thread::sleep(std::time::Duration::from_secs(1));
        let times = browser.run(script, json!([]));
        let time = |index: usize| times[index].as_f64().expect("time");
        let _ = writeln!(std::io::stderr(), "{view:<40} median {:>6.1} ms, slowest {:>6.1} ms", time(10), time(19));
    }
}
