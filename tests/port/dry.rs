//! Calls the functions of a ported program with a client whose outermost layer records the requests
//! instead of sending them.

use std::io::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;
use wechatpay_chain::Error;
use wechatpay_chain::sandbox::Sandbox;

#[allow(dead_code, reason = "its main is not called")]
mod ported;

#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<serde_json::Value>>>);

impl<S> tower::Layer<S> for Capture {
    type Service = tower::util::BoxCloneSyncService<Request<Bytes>, Response<Bytes>, Error>;

    fn layer(&self, _: S) -> Self::Service {
        let captured = Arc::clone(&self.0);
        tower::util::BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
            let headers: Vec<_> =
                request.headers().iter().map(|(name, value)| [name.to_string(), text(value.as_bytes())]).collect();
            captured.lock().expect("requests").push(json!({
                "method": request.method().as_str(),
                "uri": request.uri().to_string(),
                "headers": headers,
                "body": text(request.body()),
            }));
            std::future::ready(Ok(Response::new(Bytes::from_static(b"{}"))))
        }))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut file = std::fs::File::create(std::env::args().nth(1).expect("a file"))?;
    let (sandbox, captured) = (Sandbox::start()?, Capture::default());
    let client = sandbox.client_builder().base_uri("https://api.mch.weixin.qq.com/").layer(captured.clone()).build()?;
    for (name, function) in ported::FUNCTIONS {
        let error = function(&client).err().map(|error| match error.downcast_ref::<Error>() {
            Some(ours) => format!("{:?} {ours}", ours.kind()),
            None => error.to_string(),
        });
        let requests = std::mem::take(&mut *captured.0.lock().expect("requests"));
        writeln!(file, "{}", json!({ "function": name, "error": error, "requests": requests }))?;
    }
    Ok(())
}
