//! URLs with a user name and a password: ambiguous ones are refused, and no message contains a part
//! of them.

use std::error::Error as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::json;
use wechatpay_chain::{Client, ClientBuilder, Error, ErrorKind};

use crate::support::{CARDS, options, sandbox};

/// Parts of a user name or a password that no message contains otherwise.
const MARKER: &str = "([QZXJ]{3,4}|8[78]{3})";

/// Every character that a URL reserves, and others that parsers treat differently.
const SEPARATORS: &str = "[:/?#@!$&'()*+,;=%\\[\\]\\\\\"<>^`{|} \\t\\n\\x00\\x7f\u{e4}]";

/// The parts of a user name or of a password, with a separator behind each.
fn parts() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec((MARKER, SEPARATORS), 1..4)
}

fn joined(parts: &[(String, String)]) -> String {
    let text: String = parts.iter().map(|(marker, separator)| format!("{marker}{separator}")).collect();
    // The last part has no separator, except for a single one.
    if parts.len() == 1 { text } else { text.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned() }
}

/// The error as it is logged: both formats, and its sources.
fn shown(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}\n");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!("{error}\n{error:?}\n");
        source = error.source();
    }
    text
}

/// What a client with these settings prints: when it is built, and when it makes a call.
fn printed(builder: ClientBuilder) -> Result<String, String> {
    let debug = format!("{builder:?}");
    match builder.build() {
        Err(error) => Err(debug + &shown(&error)),
        Ok(client) => {
            let call = client.chain(CARDS).post(options());
            Ok(format!("{debug}{client:?}{}", call.as_ref().err().map(shown).unwrap_or_default()))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_part_of_a_password_appears_in_a_message(
        scheme in prop::sample::select(vec!["http", "https", "socks5", "socks5h", "gopher"]),
        user in parts(),
        password in parts(),
        encoded in any::<bool>(),
    ) {
        static SANDBOX: std::sync::LazyLock<wechatpay_chain::sandbox::Sandbox> = std::sync::LazyLock::new(sandbox);
        let encode = |text: String| match encoded {
            true => utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string(),
            false => text,
        };
        let url = format!("{scheme}://{}:{}@127.0.0.1:9", encode(joined(&user)), encode(joined(&password)));
        let has_control = [&user, &password].iter().any(|parts| joined(parts).contains(char::is_control));

        // Builder, settings and options of a call.
        let mut outputs = vec![
            printed(SANDBOX.client_builder().proxy(&url)),
            printed(SANDBOX.client_builder().base_uri(format!("{url}/"))),
            printed(SANDBOX.client_builder().backup_uri(format!("{url}/"))),
        ];
        let mut settings = SANDBOX.settings();
        settings["proxy"] = json!({ "http": url, "no": [] });
        outputs.push(Client::factory(settings).map(|client| format!("{client:?}")).map_err(|error| shown(&error)));
        let client = SANDBOX.client().expect("client");
        for (name, value) in [("proxy", json!(url)), ("base_uri", json!(format!("{url}/")))] {
            let mut options = options();
            options[name] = value;
            let error = client.chain(CARDS).post(options).expect_err("no service there");
            outputs.push(if error.kind() == ErrorKind::Connect { Ok(shown(&error)) } else { Err(shown(&error)) });
        }
        for error in [
            client.request("GET", &format!("{url}/v3/x"), ()).expect_err("another host"),
            client.chain(&format!("{url}/v3/x")).get(()).expect_err("another host"),
        ] {
            outputs.push(Err(format!("{}{:?}", shown(&error), client.chain(&format!("{url}/v3/x")))));
        }

        for output in &outputs {
            // The port of the sandbox may have the digits of a marker.
            let port = SANDBOX.address().port().to_string();
            let text = output.as_ref().unwrap_or_else(|text| text).replace(&port, "PORT");
            for (marker, _) in user.iter().chain(&password) {
                // Chains are written in kebab-case.
                let kebab: String = marker.chars().map(|c| format!("-{}", c.to_ascii_lowercase())).collect();
                for part in [&marker[..marker.len().min(4)], &kebab[1..6]] {
                    prop_assert!(!text.contains(part), "{} of {} in {}", part, url, text);
                }
            }
        }
        // Percent-encoded user info is accepted for proxies, and the proxy is the host behind "@".
        let accepted = |index: usize| outputs[index].as_ref().is_ok_and(|text: &String| text.contains("through the proxy"));
        if encoded && !has_control && scheme != "gopher" {
            prop_assert!(accepted(0) && accepted(4), "{} {:?}", url, outputs);
        }
        for text in [&outputs[0], &outputs[4]].into_iter().flatten() {
            prop_assert!(text.contains(&format!("through the proxy {scheme}://127.0.0.1:9")), "{} {}", url, text);
        }
        for refused in [1, 2, 5] {
            prop_assert!(outputs[refused].is_err(), "{}", url);
        }
    }
}

#[test]
fn ambiguous_urls_are_refused_with_the_remedy() {
    let sandbox = sandbox();
    for (url, remedy) in [
        ("http://user:se#cret@127.0.0.1:9", "%23"),
        ("http://user:p@ss@127.0.0.1:9", "%40"),
        ("http://CORP\\user:secret@127.0.0.1:9", "CORP%5Cuser"),
        ("http://user:se/cret@127.0.0.1:9", "%2F"),
        ("http://user:se?cret@127.0.0.1:9", "%3F"),
        ("http://user:se cret@127.0.0.1:9", "percent-encode"),
        ("user:se#cret@127.0.0.1:9", "%23"),
        ("http://127.0.0.1:99999", "65535"),
        ("http://127.0.0.1:09", "leading zeros"),
    ] {
        let builder = sandbox.client_builder().proxy(url).build().expect_err(url);
        let option = sandbox.client().expect("client").request("GET", "v3/x", json!({ "proxy": url })).expect_err(url);
        let base = sandbox.client_builder().base_uri(format!("{url}/")).build().expect_err(url);
        for error in [builder, option] {
            assert!(error.kind() == ErrorKind::Config && error.to_string().contains(remedy), "{url}: {error}");
        }
        assert!(base.to_string().contains("the setting base_uri: "), "{base}");
    }
}

#[test]
fn a_download_url_with_user_info_is_refused() {
    let (sandbox, client) = crate::support::start();
    for url in [
        "https://user:QZXJ@api.mch.weixin.qq.com/v3/billdownload/file?token=x",
        "https://user:QZXJ/@api.mch.weixin.qq.com/",
        "https://QZXJ?@api.mch.weixin.qq.com/",
        "https://api.mch.weixin.qq.com:QZXJ@evil.example/",
        "https://api.mch.weixin.qq.com\\QZXJ@evil.example/",
    ] {
        sandbox.stub(
            "GET",
            "v3/bill/tradebill",
            200,
            json!({
                "download_url": url, "hash_type": "SHA1", "hash_value": "79bb0bd1ea88d35ab5ee6c0a4b5f4a1d4ea4b8d5",
            }),
        );
        let response = client.chain("v3/bill/tradebill").get(()).expect("response");
        let download = client.download(&response).expect("announced");
        let debug = format!("{download:?}");
        let error = download.write(std::io::sink()).expect_err("refused");
        assert!(error.kind() == ErrorKind::Path && error.is_before_send(), "{error}");
        assert!(!format!("{debug}{}", shown(&error)).contains("QZXJ"), "{debug} {error}");
    }
}

#[test]
fn braces_in_a_password_are_not_variables() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let url = "http://user:a{XJQ}b@127.0.0.1:9/v3/x";
    for error in [
        client.request("GET", url, ()).expect_err("another host"),
        client.chain(url).get(()).expect_err("another host"),
        client.chain("http://user:<XJQ>@127.0.0.1:9/v3/x").get(()).expect_err("another host"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Path);
        assert!(!shown(&error).to_lowercase().contains("xjq"), "{error}");
    }
}
