//! Calls the functions that were extracted from `laravel.php`, `think.php` and `shop.php`, with the
//! values of `run.php`. Then sends the calls that PHP made, which are the lines of the file in the
//! first argument, and prints both requests of each call on a line.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Received, Sandbox};
use wechatpay_chain::{BoxError, Client, PrivateKey, formatter};

mod laravel;
mod shop;
mod think;

fn shown(request: &Received) -> Value {
    let body = String::from_utf8_lossy(&request.body);
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| json!(body));
    json!([request.method.as_str(), request.target, body])
}

/// Each value is that of the PHP and the line in the comment of the function.
fn shop_calls(client: &Client) {
    let order = json!({ "a": 1, "b": 2 });
    let _ = shop::refunds(&order, client, &json!("R1"));
    let _ = shop::refunds_2(&order, client, &json!("R2"));
    let _ = shop::rows(&json!(7), client, &json!("R3"));
    let _ = shop::rows(&json!(8), client, &json!("R4"));
    // Two clients.
    let _ = shop::merchants(&json!("1900000110"), client, client);
    let _ = shop::settings(&json!("1900000109"), client, &json!("2"));
    let _ = shop::by_reference(client, &json!([{ "fee": 100 }, { "fee": 200 }]));
    let _ = shop::by_reference_2(client, &json!([{ "fee": 6 }, { "fee": 7 }]));
    let _ = shop::by_reference_3(client, &json!({ "x": 2 }));
    let _ = shop::by_reference_4(client, &json!({ "x": 3 }));
    let _ = shop::by_reference_5(&json!({ "x": 9 }), client);
    let _ = shop::by_reference_6(&json!(3), &json!("bbb"), client);
    let _ = shop::changed(&json!(1), client, &json!("B-reset"));
    let _ = shop::changed_2(client, &json!("C"), &json!(1), &json!("C-reset"));
    let _ = shop::changed_3(client, &json!("D"));
    let _ = shop::changed_3(client, &json!("E"));
    let _ = shop::globals(client, &json!("changed"), &json!("base"), &json!({ "setting": "changed" }));
    let _ = shop::globals_2(&json!(0), &json!("own"), client, &json!(5));
    let _ = shop::included(&json!(5), client);
    let _ = shop::model(&json!(1), client, &json!(1));
    let _ = shop::model(&json!(1), client, &json!(2));
    let _ = shop::upper(&json!("U1"), client);
}

fn main() -> Result<(), BoxError> {
    let sandbox = Sandbox::start()?;
    let client = sandbox.client_builder().build()?;
    let (mchid, appid) = (json!("1900000109"), json!("wx8888888888888888"));
    let (url, openid) = (json!("https://shop.example/notify"), json!("o-1"));
    let (no, total, note) = (json!("L1000001"), json!(0.29), json!(" first "));
    // The sandbox does not have these orders: only the requests count.
    let _ = laravel::pay(&mchid, &appid, &no, &url, &total, &openid, &note, &client);
    let _ = laravel::close(&client, &json!("L1000002"), &mchid);
    let _ = laravel::close(&client, &json!("L1000003"), &mchid);
    let order = json!({ "no": "L1000001", "type": "b", "total": 29 });
    let _ = think::create(&json!(0.1), &order, &json!("R701"), &json!(true), &client);
    let config = json!({ "mchid": "1900000109" });
    let _ = think::both(&json!("L1000004"), &config, &client);
    let _ = think::both_2(&json!("L1000005"), &config, &client);
    shop_calls(&client);
    let own = sandbox.requests();

    for line in std::fs::read_to_string(std::env::args().nth(1).ok_or("no file")?)?.lines() {
        let call: Value = serde_json::from_str(line)?;
        let chain = client.chain(call["path"].as_str().ok_or("no path")?);
        let options = call["options"].clone();
        let _ = if call["method"] == "GET" { chain.get(options) } else { chain.post(options) };
    }
    let all = sandbox.requests();
    for (one, php) in own.iter().zip(&all[own.len()..]) {
        println!("{}", json!({ "rust": shown(one), "php": shown(php) }));
    }
    assert_eq!(own.len() * 2, all.len());

    // The response of the first function is an argument of the second one.
    let settings = sandbox.settings();
    let key = &settings["privateKey"];
    let (no, buyer) = (json!("L1000009"), json!("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"));
    let response = laravel::pay(&settings["mchid"], &appid, &no, &url, &total, &buyer, &note, &client)?;
    let signed = laravel::pay_2(&response, &appid, key)?;
    let pieces = ["appId", "timeStamp", "nonceStr", "package"].map(|name| signed[name].as_str().unwrap_or_default());
    let prepay_id = response.field::<String>("prepay_id")?;
    assert_eq!(pieces[3], format!("prepay_id={prepay_id}"));
    let message = formatter::joined_by_line_feed(pieces);
    let expected = PrivateKey::from_pem(key.as_str().ok_or("no key")?)?.sign_base64(message.as_bytes())?;
    assert_eq!(signed["paySign"], expected);
    Ok(())
}
