//! One call in all forms against the sandbox: `cargo run --features sandbox --example quickstart`.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{self, Sandbox};
use wechatpay_chain::{BoxError, BoxFuture, Client, Error, PrivateKey, Response, Signature, Signer, chain};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start()?;
    let client = Client::factory(sandbox.settings())?;
    println!("a local WeChat Pay listens at {}\n", sandbox.base_uri());

    let options = || {
        json!({
            "card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0",
            "json": {
                "activate_type": "AUTO_ACTIVATE",
                "navigate_back_previous_page": false,
                "activate_url": "https://w.url.cn/s/Ahz3p2C",
                "outer_str": "szwxtd",
            },
        })
    };
    println!("{:<24} {:<6} {:<8} token", "form", "status", "verified");

    show(
        "seg().post()",
        client
            .seg("v3")
            .seg("marketing")
            .seg("membercardOpen")
            .seg("cards")
            .seg("_card_id_")
            .seg("permissionTokens")
            .post(options())?,
    )?;
    show(
        "chain(\"...\").post()",
        client.chain("v3/marketing/membercard-open/cards/<card_id>/permission-tokens").post(options())?,
    )?;
    show(
        "[\"...\"].post()",
        client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"].post(options())?,
    )?;

    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        show(
            "seg().post_async()",
            client
                .seg("v3")
                .seg("marketing")
                .seg("membercardOpen")
                .seg("cards")
                .seg("_card_id_")
                .seg("permissionTokens")
                .post_async(options())
                .await?,
        )?;
        show(
            "chain(..).post_async()",
            client
                .chain("v3/marketing/membercard-open/cards/{card_id}/permission-tokens")
                .post_async(options())
                .await?,
        )?;
        show(
            "[\"...\"].post_async()",
            client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"].post_async(options()).await?,
        )
    })?;

    // The syntax of a PHP chain.
    chain!(client->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens)
        .post_async(options())
        .then(|response| show("chain!(client->v3..)", response))
        .otherwise(Err)
        .wait()??;

    println!("\nAn invalid signature (the signer omits the last line feed of the message):\n");
    let wrong_signer = Client::builder()
        .mchid(sandbox::MCHID)
        .signer(OmitsLineFeed(sandbox.merchant_key()))
        .platform_key(sandbox::PUBLIC_KEY_ID, sandbox.platform_key())
        .base_uri(sandbox.base_uri())
        .no_proxy()
        .build()?;
    let path = "v3/marketing/membercard-open/cards/{card_id}/permission-tokens";
    explain(wrong_signer.chain(path).post(options()))?;

    println!("\nA mistyped option, which is an error before anything is sent:\n");
    let mut mistyped = options();
    mistyped["cardid"] = mistyped["card_id"].take();
    explain(client.chain(path).post(mistyped))?;

    // Seven calls and one with an invalid signature. The mistyped one was not sent.
    assert_eq!(sandbox.requests().len(), 8);
    Ok(())
}

/// Prints the response to a form of the call.
fn show(form: &str, response: Response) -> Result<(), Error> {
    let token: String = response.field("permission_token")?;
    let (status, verified) = (response.status().as_u16(), response.is_verified());
    println!("{form:<24} {status:<6} {verified:<8} {token}");
    Ok(())
}

/// Prints the details of an error.
fn explain(outcome: Result<Response, Error>) -> Result<(), &'static str> {
    let error = outcome.err().ok_or("this call must fail")?;
    println!("  {error}");
    println!("  kind: {}", error.kind());
    if let Some(response) = error.response() {
        println!("  status: {}, code: {:?}, verified: {}", response.status(), error.code(), response.is_verified());
        let body: Value = response.json().unwrap_or_default();
        println!("  detail: {:#}", body["detail"]);
    }
    Ok(())
}

/// A signer with a mistake in it.
struct OmitsLineFeed(PrivateKey);

impl Signer for OmitsLineFeed {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move {
            let message = message.strip_suffix(b"\n").unwrap_or(message);
            Ok(Signature::new(sandbox::SERIAL, self.0.sign(message)?))
        })
    }
}
