//! Calls the handlers of ported programs. Each line of standard input is a JSON object with the
//! name of a handler, and the headers and the body of a request. The response is printed on a line.

use serde_json::{Value, json};
use wechatpay_chain::notify::NotificationVerifier;
use wechatpay_chain::{Apiv3Key, BoxError, PublicKey, bytes, http, php};

#[allow(dead_code, reason = "its main is not called")]
mod handler;
#[allow(dead_code, reason = "its main is not called")]
mod handler_class;

fn main() -> Result<(), BoxError> {
    let key = PublicKey::from_pem(&std::env::var("WXPAY_PLATFORM_KEY")?)?;
    let apiv3_key = Apiv3Key::new(std::env::var("WXPAY_APIV3_KEY")?)?;
    let notifications = NotificationVerifier::new([(std::env::var("WXPAY_PLATFORM_ID")?, key)], apiv3_key)?;
    for line in std::io::stdin().lines() {
        let given: Value = serde_json::from_str(&line?)?;
        let mut headers = http::HeaderMap::new();
        for (name, value) in given["headers"].as_object().ok_or("no headers")? {
            headers.insert(
                http::HeaderName::try_from(name.as_str())?,
                http::HeaderValue::from_str(value.as_str().ok_or("no text")?)?,
            );
        }
        let request = php::Request::new(&headers, given["body"].as_str().ok_or("no body")?.as_bytes());
        let controller = handler_class::Controller::new()?;
        let output = match given["handler"].as_str() {
            Some("script") => handler::notify(&request, &notifications)?,
            Some("prints") => controller.prints(&request, &notifications)?,
            _ => {
                println!("{}", json!({ "body": controller.returns(&request, &notifications)? }));
                continue;
            }
        };
        let response = http::Response::<bytes::Bytes>::from(output);
        let text = String::from_utf8(response.body().to_vec())?;
        let content_type = response.headers()["content-type"].to_str()?;
        println!("{}", json!({ "status": response.status().as_u16(), "type": content_type, "body": text }));
    }
    Ok(())
}
