//! One fetch of the platform certificates, decrypted and verified.
//!
//! Source: WeChat Pay, "获取平台证书列表".

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use crate::clock::now;
use crate::crypto::{Apiv3Key, Certificate, PublicKey};
use crate::error::{Error, ErrorKind};
use crate::pipeline::call_config::CallConfig;
use crate::pipeline::platform_key_id::{names_public_key, unknown_public_key};
use crate::pipeline::response::{Response, ResponseInfo};
use crate::pipeline::shared_download::{SharedDownload, Turn};
use crate::pipeline::stack::BoxService;
use crate::pipeline::verify::ENCODED;
use crate::proto::base_uri::BaseUri;
use crate::proto::request::{self, RequestSpec, ReservedNames, UnsignedRequest};
use crate::proto::verify::{self, Signed};

/// The path of the platform certificates.
pub(crate) const CERTIFICATES: &str = "v3/certificates";

/// The hint for a merchant without platform certificates.
///
/// Source: WeChat Pay, "微信支付公钥".
const NO_CERTIFICATES: &str = "the merchant has no platform certificates, because it uses WeChat Pay's public key: add that key with \
     ClientBuilder::platform_key (certs), from 账户中心 > API安全 > 微信支付公钥 of the merchant platform";

/// Whether WeChat Pay reports that the merchant has no certificates. Another 404 is that of a
/// gateway, or of a wrong `base_uri`.
fn reports_no_certificates(response: &http::Response<Bytes>) -> bool {
    let code = || serde_json::from_slice::<Value>(response.body()).ok()?.get("code").cloned();
    response.status() == StatusCode::NOT_FOUND && code().is_some_and(|code| code == "RESOURCE_NOT_EXISTS")
}

/// Fetches the platform certificates.
pub(crate) struct CertificateSource {
    /// Signs and sends, and does not verify: the response is verified with a certificate that it
    /// contains.
    pub(crate) service: BoxService,
    pub(crate) base_uri: BaseUri,
    pub(crate) key: Apiv3Key,
    /// How often the certificates are fetched again.
    pub(crate) refresh_interval: Duration,
    /// The downloads of other processes.
    pub(crate) shared: Option<SharedDownload>,
}

/// Whether the response of another process is sufficient.
pub(super) enum Need {
    /// A download by this process.
    Now,
    /// Any recent certificates.
    Recent,
    /// Certificates with this serial number among them.
    Serial(String),
}

impl CertificateSource {
    pub(super) async fn fetch(
        &self,
        need: &Need,
        known: impl Fn(&str) -> Option<PublicKey>,
    ) -> Result<Vec<Certificate>, Error> {
        let Some(shared) = &self.shared else {
            return self.download(known).await.map(|(certificates, _)| certificates);
        };
        let turn = if matches!(need, Need::Now) { Turn::Download(None) } else { shared.turn().await };
        let token = match turn {
            Turn::Read(response) => {
                // What was stored before the serial number was published, or is damaged, does not
                // replace a download.
                let read = self.decrypt(response.body());
                let read = read.and_then(|certificates| {
                    self.verify(&known, &response, &certificates)?;
                    Ok(certificates)
                });
                let is_found = |certificates: &Vec<Certificate>| match need {
                    Need::Serial(serial) => certificates.iter().any(|certificate| certificate.serial() == serial),
                    Need::Now | Need::Recent => true,
                };
                if let Some(certificates) = read.ok().filter(is_found) {
                    return Ok(certificates);
                }
                None
            }
            Turn::Download(token) => token,
        };
        match self.download(known).await {
            Ok((certificates, response)) => {
                shared.publish(&response).await;
                Ok(certificates)
            }
            Err(error) => {
                if let Some(token) = token {
                    shared.give_up(&token).await;
                }
                Err(error)
            }
        }
    }

    /// Downloads, decrypts and verifies the certificates.
    async fn download(
        &self,
        known: impl Fn(&str) -> Option<PublicKey>,
    ) -> Result<(Vec<Certificate>, http::Response<Bytes>), Error> {
        let reserved = ReservedNames { options: &[], contains: |_| false };
        let template = request::parse_template(CERTIFICATES, &reserved)?;
        let spec = RequestSpec::default();
        let UnsignedRequest { mut request, .. } =
            request::build(Method::GET, &template, &spec, &self.base_uri, &reserved)?;
        request.extensions_mut().insert(CallConfig::DEFAULT);
        let mut response = self.service.clone().oneshot(request).await?;
        if !response.status().is_success() {
            let has_none = reports_no_certificates(&response);
            if let Some(info) = response.extensions_mut().get_mut::<ResponseInfo>().filter(|_| has_none) {
                info.hint = Some(NO_CERTIFICATES.into());
            }
            return Err(Error::from_response(Response::new(response)));
        }
        let certificates = self.decrypt(response.body())?;
        self.verify(&known, &response, &certificates)?;
        Ok((certificates, response))
    }

    /// Decrypts the certificates in a response with the APIv3 key.
    fn decrypt(&self, body: &Bytes) -> Result<Vec<Certificate>, Error> {
        let wrong = |reason: String| Error::new(ErrorKind::Decode, reason);
        let json: Value = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the response with the platform certificates is not JSON: {error}")))?;
        let rows = json.get("data").and_then(Value::as_array).filter(|rows| !rows.is_empty());
        let rows = rows.ok_or_else(|| wrong("the response contains no platform certificates".to_owned()))?;
        let mut certificates = Vec::with_capacity(rows.len());
        for row in rows {
            let sealed = &row["encrypt_certificate"];
            let field = |name: &str| {
                let text = sealed.get(name).and_then(Value::as_str);
                text.ok_or_else(|| wrong(format!("a platform certificate in the response has no {name}")))
            };
            let pem = self.key.decrypt(
                field("ciphertext")?,
                field("nonce")?,
                sealed.get("associated_data").and_then(Value::as_str).unwrap_or_default(),
            )?;
            let pem = String::from_utf8(pem).map_err(|_| wrong("a platform certificate is not text".to_owned()))?;
            // A certificate with another kind of key, such as SM2, is skipped. The others remain
            // usable.
            let Some(certificate) =
                Some(&pem).filter(|pem| pem.contains("-----BEGIN ")).and_then(|pem| Certificate::from_pem(pem).ok())
            else {
                continue;
            };
            if row["serial_no"].as_str().is_none_or(|serial| !serial.eq_ignore_ascii_case(certificate.serial())) {
                return Err(wrong(format!(
                    "the platform certificate {} has another serial number in the response",
                    certificate.serial()
                )));
            }
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(wrong("the response contains no platform certificate with an RSA key".to_owned()));
        }
        Ok(certificates)
    }

    /// Verifies the response with a certificate that it contains, or with a known key.
    fn verify(
        &self,
        known: &impl Fn(&str) -> Option<PublicKey>,
        response: &http::Response<Bytes>,
        new: &[Certificate],
    ) -> Result<(), Error> {
        let untrusted = |reason: String| {
            let message = format!("the response with the platform certificates is not trustworthy: {reason}");
            Error::new(ErrorKind::Verification, message)
        };
        let check = |body| verify::check_headers(response.headers(), body, now());
        let signed = check(response.body()).map_err(untrusted)?;
        let today = SystemTime::now();
        let found =
            new.iter().find(|certificate| certificate.serial() == signed.serial && certificate.is_valid_at(today));
        let key = found.map(|certificate| certificate.public_key().clone()).or_else(|| known(signed.serial));
        let key = key.ok_or_else(|| {
            untrusted(if names_public_key(signed.serial) {
                unknown_public_key(signed.serial)
            } else {
                "it is signed with a key that it does not contain".to_owned()
            })
        })?;
        let received = ResponseInfo::received(response);
        let is_signed = |signed: Signed<'_>| key.verify(&signed.message, &signed.signature);
        // The service may have signed the compressed body.
        if is_signed(signed) || received.is_some_and(|body| check(body).is_ok_and(is_signed)) {
            return Ok(());
        }
        let mut reason = "its signature is invalid".to_owned();
        if received.is_some() {
            reason.extend(["; ", ENCODED]);
        }
        Err(untrusted(reason))
    }
}

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use super::*;
    use crate::sandbox::keys;
    use serde_json::json;

    #[test]
    fn a_certificate_with_another_kind_of_key_is_skipped() {
        let key = Apiv3Key::new("0123456789abcdef0123456789abcdef").expect("key");
        let row = |serial: &str, text: &str| {
            let ciphertext = key.encrypt(text.as_bytes(), "0123456789ab", "certificate").expect("sealed");
            let sealed = json!({ "ciphertext": ciphertext, "nonce": "0123456789ab", "associated_data": "certificate" });
            json!({ "serial_no": serial, "encrypt_certificate": sealed })
        };
        let rsa = keys::issue(SystemTime::now() + Duration::from_secs(60)).expect("issued");
        let elliptic = rcgen::generate_simple_self_signed(vec!["x".to_owned()]).expect("certificate").cert.pem();
        let service = BoxService::new(tower::service_fn(|_| std::future::ready(Err(Error::layer("not called")))));
        let source = CertificateSource {
            service,
            base_uri: BaseUri::official(),
            key: key.clone(),
            refresh_interval: Duration::ZERO,
            shared: None,
        };
        let open = |rows: Vec<Value>| source.decrypt(&json!({ "data": rows }).to_string().into());
        let rsa_serial = Certificate::from_pem(&rsa.pem).expect("certificate").serial().to_owned();
        let both = open(vec![row("00", &elliptic), row("01", "file:///etc/hostname"), row(&rsa_serial, &rsa.pem)]);
        assert_eq!(both.expect("one is left").len(), 1);
        let none = open(vec![row("00", &elliptic)]).expect_err("none is left").to_string();
        assert!(none.contains("no platform certificate with an RSA key"), "{none}");
    }
}
