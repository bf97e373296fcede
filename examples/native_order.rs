//! Creates a Native order at the sandbox and prints its `code_url`, which a shop shows as a QR
//! code.
//!
//! ```text
//! cargo run --features sandbox --example native_order
//! ```

use serde_json::json;
use wechatpay_chain::Error;
use wechatpay_chain::sandbox::Sandbox;

fn main() -> Result<(), Error> {
    let sandbox = Sandbox::start()?;
    let client = sandbox.client()?;
    let orders = client.chain("v3/pay/transactions/native");
    let response = orders.post(json!({ "json": {
        "appid": "wx8888888888888888",
        "mchid": "1900000109",
        "description": "a book",
        "out_trade_no": "order-1",
        "notify_url": "https://example.com/notify",
        "amount": { "total": 888 },
    }}))?;
    println!("{}", response.field::<String>("code_url")?);
    Ok(())
}
