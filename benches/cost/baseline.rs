//! The baseline: a call with only the necessary steps, written by hand.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use wechatpay_chain::formatter;
use wechatpay_chain::sandbox::{MCHID, SERIAL};

use crate::server;

const TARGET: &str = "/v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens";
const BODY: &str = r#"{"activate_type":"AUTO_ACTIVATE","outer_str":"szwxtd"}"#;

/// The key and the library that sign.
pub(crate) enum Key {
    Ring(Box<ring::signature::RsaKeyPair>),
    AwsLc(aws_lc_rs::signature::RsaKeyPair),
    /// No cryptography, to measure the rest of a call.
    None,
}

impl Key {
    pub(crate) fn ring(der: &[u8]) -> Self {
        Key::Ring(Box::new(ring::signature::RsaKeyPair::from_pkcs8(der).expect("key")))
    }

    pub(crate) fn aws_lc(der: &[u8]) -> Self {
        Key::AwsLc(aws_lc_rs::signature::RsaKeyPair::from_pkcs8(der).expect("key"))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Key::Ring(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let random = ring::rand::SystemRandom::new();
                key.sign(&ring::signature::RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signed");
                signature
            }
            Key::AwsLc(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let random = aws_lc_rs::rand::SystemRandom::new();
                key.sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signed");
                signature
            }
            Key::None => vec![0; 256],
        }
    }
}

#[derive(Clone)]
pub(crate) struct Baseline {
    pool: Pool<HttpConnector, Full<Bytes>>,
    key: Arc<Key>,
    platform: Arc<Vec<u8>>,
    base: Arc<str>,
    target: Arc<str>,
}

impl Baseline {
    pub(crate) fn new(settings: &Value, key: Key) -> Self {
        let (_, platform) = server::keys(settings);
        Baseline {
            pool: Pool::builder(TokioExecutor::new()).build_http(),
            key: Arc::new(key),
            platform: Arc::new(platform),
            base: server::text(settings, "base_uri").into(),
            target: TARGET.into(),
        }
    }

    /// A copy with new connections, for another runtime.
    pub(crate) fn with_new_connections(&self) -> Self {
        Baseline { pool: Pool::builder(TokioExecutor::new()).build_http(), ..self.clone() }
    }

    /// A copy whose requests have a query, which makes the server wait.
    pub(crate) fn with_query(&self, query: &str) -> Self {
        Baseline { target: format!("{TARGET}?{query}").into(), ..self.clone() }
    }

    pub(crate) async fn call(&self) {
        let target = &*self.target;
        let nonce = formatter::nonce().expect("nonce");
        let timestamp = formatter::timestamp();
        let message = format!("POST\n{target}\n{timestamp}\n{nonce}\n{BODY}\n");
        let signature = BASE64_STANDARD.encode(self.key.sign(message.as_bytes()));
        let authorization = format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{MCHID}\",serial_no=\"{SERIAL}\",timestamp=\"{timestamp}\",nonce_str=\"{nonce}\",signature=\"{signature}\"",
        );
        let request = http::Request::post(format!("{}{}", self.base, &target[1..]))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("user-agent", "baseline")
            .header("authorization", authorization)
            .body(Full::new(Bytes::from_static(BODY.as_bytes())))
            .expect("request");
        let (parts, body) = self.pool.request(request).await.expect("response").into_parts();
        let body = body.collect().await.expect("body").to_bytes();
        let header = |name: &str| parts.headers[name].to_str().expect("text");
        let message = format!(
            "{}\n{}\n{}\n",
            header("wechatpay-timestamp"),
            header("wechatpay-nonce"),
            std::str::from_utf8(&body).expect("text")
        );
        let signature = BASE64_STANDARD.decode(header("wechatpay-signature")).expect("base64");
        if !matches!(*self.key, Key::None) {
            use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &**self.platform)
                .verify(message.as_bytes(), &signature)
                .expect("verified");
        }
    }
}
