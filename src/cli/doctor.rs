//! `wxpay doctor`: everything that a first call can fail by, checked in one go.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::args::{Doctor, SettingsFile};
use super::{Failure, output, settings, translate};
use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::clock;
use crate::crypto::{Certificate, PrivateKey, PublicKey};
use crate::error::{Error, ErrorKind};
use crate::pipeline::platform_keys;
use crate::proto::base_uri::BaseUri;
use crate::proto::diagnose;

/// A certificate that ends within this time deserves a word.
const SOON: Duration = Duration::from_secs(30 * 86_400);
/// The time for one call.
const PATIENCE: f64 = 15.0;

/// What became of a check.
enum Outcome {
    Good(String),
    /// It works, and should be looked at.
    Odd(String),
    /// What is wrong, and what to do about it.
    Bad(String),
    /// What it needs is missing.
    Skipped(String),
}

#[derive(Default)]
struct Report(Vec<(&'static str, Outcome)>);

impl Report {
    fn add(&mut self, name: &'static str, outcome: Outcome) {
        self.0.push((name, outcome));
    }

    /// Notes an error, or what came out.
    fn take<T>(
        &mut self,
        name: &'static str,
        result: Result<T, impl std::fmt::Display>,
        said: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match result {
            Ok(thing) => {
                self.add(name, Outcome::Good(said(&thing)));
                Some(thing)
            }
            Err(error) => {
                self.add(name, Outcome::Bad(error.to_string()));
                None
            }
        }
    }

    fn failed(&self) -> usize {
        self.0.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Bad(_))).count()
    }
}

pub(super) fn run(from: &SettingsFile, doctor: &Doctor) -> Result<(), Failure> {
    let mut report = Report::default();
    for said in settings::mistyped() {
        report.add("environment", Outcome::Odd(said));
    }
    match settings::map(from) {
        Ok(map) => {
            report.add("settings", Outcome::Good(format!("{} settings", map.len())));
            examine(&map, doctor, &mut report);
        }
        Err(failure) => report.add("settings", Outcome::Bad(failure.said)),
    }
    print(&report, doctor.json)?;
    match report.failed() {
        0 => Ok(()),
        count => Err(Failure { code: 8, said: format!("{count} of {} checks failed", report.0.len()) }),
    }
}

fn print(report: &Report, as_json: bool) -> Result<(), Failure> {
    let rows = report.0.iter().map(|(name, outcome)| {
        let (mark, said) = match outcome {
            Outcome::Good(said) => ("ok", said),
            Outcome::Odd(said) => ("warning", said),
            Outcome::Bad(said) => ("FAILED", said),
            Outcome::Skipped(said) => ("skipped", said),
        };
        (*name, mark, said)
    });
    let text: String = if as_json {
        let rows: Vec<Value> = rows
            .map(|(name, mark, said)| json!({ "check": name, "outcome": mark.to_lowercase(), "said": said }))
            .collect();
        Value::Array(rows).to_string() + "\n"
    } else {
        let column = |text: &str, width| output::column(&translate::message(text), width);
        rows.map(|(name, mark, said)| {
            format!("{} {} {}\n", column(mark, 8), column(name, 22), translate::message(said))
        })
        .collect()
    };
    output::printed(output::body(text.as_bytes()))
}

fn examine(map: &Map<String, Value>, doctor: &Doctor, report: &mut Report) {
    let text = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default();
    let mchid = text("mchid");
    report.add(
        "mchid",
        match mchid {
            "" => Outcome::Bad("missing: the merchant id, such as \"1900000109\"".to_owned()),
            mchid if matches!(mchid.len(), 8..=10) && mchid.bytes().all(|byte| byte.is_ascii_digit()) => {
                Outcome::Good(mchid.to_owned())
            }
            mchid => Outcome::Odd(format!("{mchid:?} is not of 8 to 10 digits, as merchant ids are")),
        },
    );
    let nothing_of_v3 = ["privateKey", "serial", "certs"].iter().all(|name| !map.contains_key(*name));
    if nothing_of_v3 && map.contains_key("secret") {
        report.add("APIv3", Outcome::Skipped("no private_key, serial and certs: for APIv2 alone".to_owned()));
        apiv2(map, mchid, report);
        client(map, report);
        return;
    }
    let key = private_key(text("privateKey"), report);
    let certificate = own_certificate(map, report);
    serial(text("serial"), map, key.as_ref(), certificate.as_ref(), mchid, report);
    platform_keys(map, key.as_ref(), report);
    apiv3_key(text("apiv3_key"), report);
    if map.contains_key("secret") || map.contains_key("merchant") {
        apiv2(map, mchid, report);
    }
    let base = match text("base_uri") {
        "" => Ok(BaseUri::official()),
        given => BaseUri::parse(given),
    };
    report.take("base_uri", base, |_| match text("base_uri") {
        "" => "the service's own".to_owned(),
        given => given.to_owned(),
    });
    let Some(client) = client(map, report) else { return };
    if doctor.offline {
        report.add("connection", Outcome::Skipped("--offline".to_owned()));
        return;
    }
    calls(&client, map, report);
}

fn client(map: &Map<String, Value>, report: &mut Report) -> Option<Client> {
    let client = ClientBuilder::from_settings(Value::Object(map.clone())).and_then(ClientBuilder::build);
    if client.is_err() && report.failed() > 0 {
        // The same mistake once more, from where it does not show as well.
        report.add("client", Outcome::Skipped("it is built when what failed above is mended".to_owned()));
        return None;
    }
    report.take("client", client, |_| "all settings fit together".to_owned())
}

fn private_key(setting: &str, report: &mut Report) -> Option<PrivateKey> {
    if setting.is_empty() {
        report
            .add("private_key", Outcome::Bad("missing: the merchant's apiclient_key.pem, as file:///path".to_owned()));
        return None;
    }
    let key = report.take("private_key", PrivateKey::from_pem(setting), |_| "an RSA key".to_owned());
    if let Some(said) = settings::readable_by_others(setting) {
        report.add("private_key file", Outcome::Odd(said));
    }
    key
}

/// The merchant's certificate: the one of the settings, or the file beside the key, where WeChat Pay's tool puts it.
fn own_certificate(map: &Map<String, Value>, report: &mut Report) -> Option<Certificate> {
    let given = map.get("merchant").and_then(|merchant| merchant.get("cert")).and_then(Value::as_str).map(|cert| {
        // A plain path is one, too, as in PHP.
        if cert.contains("://") || cert.contains("BEGIN") { cert.to_owned() } else { format!("file://{cert}") }
    });
    let beside = || {
        let key = map.get("privateKey")?.as_str()?.strip_prefix("file://")?;
        let path = Path::new(key).with_file_name("apiclient_cert.pem");
        path.is_file().then(|| format!("file://{}", path.display()))
    };
    let Some(setting) = given.or_else(beside) else {
        let said = "no apiclient_cert.pem beside the key: whether key, serial and certificate belong together is left to the service";
        report.add("certificate", Outcome::Skipped(said.to_owned()));
        return None;
    };
    let certificate = report.take("certificate", Certificate::from_pem(&setting), |certificate| {
        format!("serial {}, of {}", certificate.serial(), certificate.common_name().unwrap_or("nobody"))
    })?;
    validity("certificate validity", &certificate, report);
    Some(certificate)
}

fn validity(name: &'static str, certificate: &Certificate, report: &mut Report) {
    let now = SystemTime::now();
    if !certificate.is_valid_at(now) {
        let serial = certificate.serial();
        let said = if now < certificate.not_before() {
            format!("the certificate {serial} is not valid yet: is this machine's clock right?")
        } else {
            format!("the certificate {serial} has expired: get a new one on the merchant platform")
        };
        report.add(name, Outcome::Bad(said));
    } else if !certificate.is_valid_at(now + SOON) {
        report.add(name, Outcome::Odd(format!("the certificate {} ends within a month", certificate.serial())));
    }
}

fn serial(
    serial: &str,
    map: &Map<String, Value>,
    key: Option<&PrivateKey>,
    certificate: Option<&Certificate>,
    mchid: &str,
    report: &mut Report,
) {
    let platform = map.get("certs").and_then(Value::as_object);
    let is_platforms = platform.is_some_and(|certs| certs.keys().any(|id| id.eq_ignore_ascii_case(serial)));
    report.add(
        "serial",
        match serial {
            "" => Outcome::Bad("missing: openssl x509 -in apiclient_cert.pem -noout -serial".to_owned()),
            serial if serial.starts_with("PUB_KEY_ID_") || is_platforms => Outcome::Bad(
                "it is the platform's: the serial number of the merchant's certificate belongs here".to_owned(),
            ),
            serial if !matches!(serial.len(), 1..=40) || !serial.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Outcome::Bad("it is no hexadecimal number: without \"serial=\" and colons".to_owned())
            }
            serial => match certificate {
                Some(certificate) if !certificate.serial().eq_ignore_ascii_case(serial) => {
                    Outcome::Bad(format!("it is not the certificate's: that is {}", certificate.serial()))
                }
                Some(_) => Outcome::Good("the certificate's".to_owned()),
                None => Outcome::Good("of the right form".to_owned()),
            },
        },
    );
    let Some(certificate) = certificate else { return };
    if let Some(key) = key {
        report.add(
            "key and certificate",
            if key.public_key() == *certificate.public_key() {
                Outcome::Good("belong together".to_owned())
            } else {
                Outcome::Bad(
                    "the private key is not the certificate's: take both from the same folder of WeChat Pay's tool"
                        .to_owned(),
                )
            },
        );
    }
    if certificate.common_name().is_some_and(|name| name != mchid) {
        let of = certificate.common_name().unwrap_or_default();
        report.add("certificate owner", Outcome::Bad(format!("the certificate is of {of:?}, and mchid is {mchid:?}")));
    }
}

fn platform_keys(map: &Map<String, Value>, key: Option<&PrivateKey>, report: &mut Report) {
    let certs = map.get("certs").and_then(Value::as_object);
    let Some(certs) = certs.filter(|certs| !certs.is_empty()) else {
        report.add(
            "platform keys",
            if map.contains_key("apiv3_key") {
                Outcome::Good("none; certificates are fetched with the APIv3 key".to_owned())
            } else {
                Outcome::Bad("none: give pub_key.pem and its PUB_KEY_ID_..., or the apiv3_key".to_owned())
            },
        );
        return;
    };
    for (id, value) in certs {
        let public = value.as_str().unwrap_or_default().to_owned();
        let checked = PublicKey::from_pem(&public).map_err(|error| error.message().to_owned()).and_then(|public| {
            platform_keys::check_id(&platform_keys::normal_id(id.clone()), &public)?;
            if key.is_some_and(|key| key.public_key() == public) {
                return Err("it is the merchant's own: the platform's belongs here".to_owned());
            }
            Ok(public)
        });
        let checked = checked.map_err(|said| format!("{id}: {said}"));
        let Some(public) = report.take("platform key", checked, |_| id.clone()) else { continue };
        if public.certificate_serial().is_some() {
            if let Ok(certificate) = Certificate::from_pem(value.as_str().unwrap_or_default()) {
                validity("platform certificate", &certificate, report);
            }
        } else if id.len() != "PUB_KEY_ID_0119000001092024111100326200001234".len() {
            report.add(
                "platform key id",
                Outcome::Odd(format!("{id} is not as long as such ids are: copy it whole from the merchant platform")),
            );
        }
    }
}

fn apiv3_key(key: &str, report: &mut Report) {
    report.add(
        "apiv3_key",
        match key.len() {
            0 => Outcome::Skipped("none: notifications and platform certificates need it".to_owned()),
            32 => Outcome::Good("of the right length".to_owned()),
            length => Outcome::Bad(format!(
                "it has {length} bytes and needs 32: it is the one set on the merchant platform under API security"
            )),
        },
    );
}

fn apiv2(map: &Map<String, Value>, mchid: &str, report: &mut Report) {
    let secret = map.get("secret").and_then(Value::as_str).unwrap_or_default();
    if !secret.is_empty() {
        report.add(
            "secret (APIv2)",
            if secret.len() == 32 {
                Outcome::Good("of the right length".to_owned())
            } else {
                Outcome::Odd(format!("it has {} bytes, and APIv2 keys have 32", secret.len()))
            },
        );
    }
    if let Some(merchant) = map.get("merchant") {
        let alone = json!({ "mchid": mchid, "secret": "0123456789abcdef0123456789abcdef", "merchant": merchant });
        let built = ClientBuilder::from_settings(alone).and_then(ClientBuilder::build);
        report.take("merchant (APIv2)", built.map_err(|error| error.message().to_owned()), |_| {
            "a certificate and its key".to_owned()
        });
    }
}

/// What only the service can tell.
fn calls(client: &Client, map: &Map<String, Value>, report: &mut Report) {
    let echo = format!("wxpay-doctor-{}", clock::now());
    let mut options = json!({ "timeout": PATIENCE, "json": { "echo_message": echo } });
    let mut sealed = false;
    if let Ok((text, id)) = client.encrypt(&echo) {
        (options["json"]["encrypted_echo_message"], options["headers"]) =
            (text.into(), json!({ "Wechatpay-Serial": id }));
        sealed = true;
    }
    let outcome = client.chain("v3/security/echo").post(options);
    let headers = match &outcome {
        Ok(answer) => Some(answer.headers().clone()),
        Err(error) => error.response().map(|answer| answer.headers().clone()),
    };
    match &outcome {
        Err(error) if error.is_connect() => {
            report.add("connection", Outcome::Bad(connection(error)));
            return;
        }
        Err(error) if headers.is_none() => {
            report.add("connection", Outcome::Bad(error.to_string()));
            return;
        }
        _ => report.add("connection", Outcome::Good("DNS, TLS and proxies lead to the service".to_owned())),
    }
    match headers.as_ref().and_then(clock::offset) {
        Some(offset) => report.add(
            "clock",
            match diagnose::clock(offset) {
                Some(said) if offset.unsigned_abs() > 300 => Outcome::Bad(said),
                Some(said) => Outcome::Odd(said),
                None => Outcome::Good(format!("within {} s of the service's", offset.unsigned_abs().max(1))),
            },
        ),
        None => report.add("clock", Outcome::Skipped("the answer has no Date".to_owned())),
    }
    match outcome {
        Ok(_) => {
            report.add("request signature", Outcome::Good("the service accepts it".to_owned()));
            report.add("answer signature", Outcome::Good("holds".to_owned()));
            report.add(
                "encryption",
                if sealed {
                    Outcome::Good("the service opens what is encrypted for it".to_owned())
                } else {
                    Outcome::Skipped("no platform key to encrypt with".to_owned())
                },
            );
        }
        Err(error) if error.kind() == ErrorKind::Verification => {
            let signed = error.response().is_some_and(|answer| crate::proto::verify::is_signed(answer.headers()));
            let said = if signed {
                Outcome::Good("the service answers it".to_owned())
            } else {
                Outcome::Bad(
                    "what answers signs nothing, so it is not WeChat Pay: a page of the network, or another base_uri"
                        .to_owned(),
                )
            };
            report.add("request signature", said);
            report.add("answer signature", Outcome::Bad(error.to_string()));
        }
        Err(error) if error.code() == Some("SIGN_ERROR") || error.status().is_some_and(|status| status == 401) => {
            report.add("request signature", Outcome::Bad(error.to_string()));
        }
        // The endpoint may not be open to this merchant; the signature was accepted all the same.
        Err(error)
            if error.is_response()
                && error.response().is_some_and(crate::pipeline::response::Response::is_verified) =>
        {
            report.add("request signature", Outcome::Good("the service accepts it".to_owned()));
            report.add("answer signature", Outcome::Good("holds".to_owned()));
            report.add("echo", Outcome::Odd(error.to_string()));
        }
        Err(error) => {
            if error.response().is_some_and(|answer| crate::proto::verify::is_signed(answer.headers())) {
                let said = "does not hold: the platform key is not WeChat Pay's, compare it with the merchant platform";
                report.add("answer signature", Outcome::Bad(said.to_owned()));
            }
            report.add("echo", Outcome::Bad(error.to_string()));
        }
    }
    if map.contains_key("apiv3_key") {
        let fetched = client.certificates();
        let none = |error: &Error| error.status().is_some_and(|status| status == 404);
        match fetched {
            Err(error) if none(&error) => report.add(
                "apiv3_key opens",
                Outcome::Skipped("the service has no certificate for this merchant".to_owned()),
            ),
            fetched => drop(report.take("apiv3_key opens", fetched, |certificates| {
                format!("the platform's certificates: {}", certificates.len())
            })),
        }
    }
}

/// Which part of the way fails.
fn connection(error: &Error) -> String {
    let text = error.to_string();
    let hint = if text.contains("through the proxy") {
        "the proxy does not lead there: look at proxy, HTTPS_PROXY and NO_PROXY"
    } else if text.contains("dns") || text.contains("resolve") || text.contains("lookup") {
        "the name does not resolve: look at DNS, and at base_uri"
    } else if text.contains("certificate") {
        "TLS fails: a proxy that opens TLS needs its authority in root_certificate"
    } else {
        "the host cannot be reached: look at base_uri, the firewall, and whether a proxy is needed"
    };
    format!("{text}; {hint}")
}
