//! The platform's certificates: one fetch of them, opened and verified.
//!
//! Source: WeChat Pay, "获取平台证书列表".

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tower::ServiceExt;

use crate::clock::now;
use crate::crypto::{Apiv3Key, Certificate, PublicKey};
use crate::error::{Error, ErrorKind};
use crate::options::Options;
use crate::pipeline::call_config::CallConfig;
use crate::pipeline::response::Response;
use crate::pipeline::stack::BoxService;
use crate::proto::base_uri::BaseUri;
use crate::proto::{request, verify};

/// The path of the certificates.
pub(crate) const CERTIFICATES: &str = "v3/certificates";
/// Where certificates come from.
pub(crate) struct Source {
    /// Signs and sends, and verifies nothing: the first answer is verified with the certificate in it.
    pub(crate) unverified: BoxService,
    pub(crate) base: BaseUri,
    pub(crate) key: Apiv3Key,
    pub(crate) every: Duration,
}

impl Source {
    pub(crate) async fn fetch(&self, known: impl Fn(&str) -> Option<PublicKey>) -> Result<Vec<Certificate>, Error> {
        let template = request::template(CERTIFICATES)?;
        let mut request = request::build(Method::GET, &template, &Options::new(), &self.base)?;
        request.extensions_mut().insert(CallConfig::default());
        let answer = self.unverified.clone().oneshot(request).await?;
        if !answer.status().is_success() {
            return Err(Error::from_response(Response::new(answer, false)));
        }
        let certificates = self.open(answer.body())?;
        self.verify(known, &answer, &certificates)?;
        Ok(certificates)
    }

    /// The certificates in an answer, out of the seal that only the APIv3 key opens.
    fn open(&self, body: &Bytes) -> Result<Vec<Certificate>, Error> {
        let wrong = |said: String| Error::new(ErrorKind::Decode, said);
        let json: Value = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the answer with the platform's certificates is no JSON: {error}")))?;
        let rows = json.get("data").and_then(Value::as_array).filter(|rows| !rows.is_empty());
        let rows = rows.ok_or_else(|| wrong("the answer has no platform certificates".to_owned()))?;
        let mut certificates = Vec::with_capacity(rows.len());
        for row in rows {
            let sealed = &row["encrypt_certificate"];
            let field = |name: &str| {
                let text = sealed.get(name).and_then(Value::as_str);
                text.ok_or_else(|| wrong(format!("a platform certificate comes without {name}")))
            };
            let pem = self.key.decrypt(
                field("ciphertext")?,
                field("nonce")?,
                sealed.get("associated_data").and_then(Value::as_str).unwrap_or_default(),
            )?;
            let pem = String::from_utf8(pem).map_err(|_| wrong("a platform certificate is no text".to_owned()))?;
            // A row of another kind of key, as a national algorithm's, is not for this client, and must not take the others along.
            let Some(certificate) =
                Some(&pem).filter(|pem| pem.contains("-----BEGIN ")).and_then(|pem| Certificate::from_pem(pem).ok())
            else {
                continue;
            };
            if row["serial_no"].as_str().is_none_or(|serial| !serial.eq_ignore_ascii_case(certificate.serial())) {
                return Err(wrong(format!(
                    "the platform certificate {} comes under another serial number",
                    certificate.serial()
                )));
            }
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(wrong("the answer has no platform certificate with an RSA key".to_owned()));
        }
        Ok(certificates)
    }

    /// The answer is signed by a key that is known, or by one of the certificates in it.
    fn verify(
        &self,
        known: impl Fn(&str) -> Option<PublicKey>,
        answer: &http::Response<Bytes>,
        new: &[Certificate],
    ) -> Result<(), Error> {
        let untrusted = |said: String| {
            let said = format!("the answer with the platform's certificates is not to be trusted: {said}");
            Error::new(ErrorKind::Verification, said)
        };
        let signed = verify::read(answer.headers(), answer.body(), now()).map_err(untrusted)?;
        let now = SystemTime::now();
        let found =
            new.iter().find(|certificate| certificate.serial() == signed.serial && certificate.is_valid_at(now));
        let key = found.map(|certificate| certificate.public_key().clone()).or_else(|| known(signed.serial));
        let key = key.ok_or_else(|| untrusted("it is signed by a key that it does not hold".to_owned()))?;
        if key.verify(&signed.message, &signed.signature) {
            return Ok(());
        }
        Err(untrusted("its signature does not hold".to_owned()))
    }
}

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use super::*;
    use crate::sandbox::keys;
    use serde_json::json;

    #[test]
    fn a_row_of_another_kind_of_key_takes_no_other_along() {
        let key = Apiv3Key::new("0123456789abcdef0123456789abcdef").expect("key");
        let row = |serial: &str, text: &str| {
            let ciphertext = key.encrypt(text.as_bytes(), "0123456789ab", "certificate").expect("sealed");
            let sealed = json!({ "ciphertext": ciphertext, "nonce": "0123456789ab", "associated_data": "certificate" });
            json!({ "serial_no": serial, "encrypt_certificate": sealed })
        };
        let rsa = keys::issue(901, SystemTime::now() + Duration::from_secs(60)).expect("issued");
        let elliptic = rcgen::generate_simple_self_signed(vec!["x".to_owned()]).expect("certificate").cert.pem();
        let unverified = BoxService::new(tower::service_fn(|_| std::future::ready(Err(Error::layer("not called")))));
        let source = Source { unverified, base: BaseUri::official(), key: key.clone(), every: Duration::ZERO };
        let open = |rows: Vec<Value>| source.open(&json!({ "data": rows }).to_string().into());
        let rsa_serial = Certificate::from_pem(&rsa.pem).expect("certificate").serial().to_owned();
        let both = open(vec![row("00", &elliptic), row("01", "file:///etc/hostname"), row(&rsa_serial, &rsa.pem)]);
        assert_eq!(both.expect("one is left").len(), 1);
        let none = open(vec![row("00", &elliptic)]).expect_err("none is left").to_string();
        assert!(none.contains("no platform certificate with an RSA key"), "{none}");
    }
}
