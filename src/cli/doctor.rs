//! `wxpay doctor`: checks everything that a call depends on, and explains what is wrong.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::args::{ConfigArgs, Doctor};
use super::doctor_report::Report;
use super::failure::Failure;
use super::settings::{self, Settings};
use super::{config_file, doctor_calls};
use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::client::environment;
use crate::client::factory::pem_or_file;
use crate::crypto::certificate::is_decimal_serial;
use crate::crypto::{Certificate, PrivateKey, PublicKey};
use crate::pipeline::platform_key_id::{normalize_id, shown_id, validate_id};
use crate::proto::base_uri::BaseUri;
use crate::proto::excerpt;

/// A certificate that expires within this time gets a warning.
const EXPIRY_WARNING: Duration = Duration::from_secs(30 * 86_400);

/// The length of an APIv2 key, of an APIv3 key, and of the ID of a platform key.
const APIV2_KEY_LENGTH: usize = 32;
const APIV3_KEY_LENGTH: usize = 32;
const PLATFORM_KEY_ID_LENGTH: usize = "PUB_KEY_ID_0119000001092024111100326200001234".len();

pub(super) fn run(config: &ConfigArgs, doctor: &Doctor) -> Result<(), Failure> {
    let mut report = Report::default();
    for warning in environment::unknown_variables() {
        report.warning("environment", warning);
    }
    match settings::layers(config) {
        Ok(layers) => {
            if let Some(file) = config_file::find(config) {
                report.ok("settings file", file.display().to_string());
            }
            let (of_file, others) = layers.origins();
            if !of_file.is_empty() {
                report.ok("from the file", of_file.join(", "));
            }
            if !others.is_empty() {
                report.ok("from variables", others.join(", "));
            }
            check(&layers.into_settings(), doctor.offline, &mut report);
        }
        Err(failure) => report.failed("settings", failure.message),
    }
    report.print(doctor.json)
}

fn check(settings: &Settings, offline: bool, report: &mut Report) {
    mchid(settings, report);
    let has_no_apiv3_setting = settings.private_key.is_none() && settings.serial.is_none() && settings.certs.is_empty();
    if has_no_apiv3_setting && settings.secret.is_some() {
        report.skipped("APIv3", "the settings are for APIv2 only: they have no private_key, serial and certs");
        apiv2(settings, report);
        client(settings, report);
        return;
    }
    let key = private_key(settings, report);
    let certificate = merchant_certificate(settings, report);
    serial(settings, certificate.as_ref(), report);
    if let Some(certificate) = &certificate {
        certificate_match(settings, key.as_ref(), certificate, report);
    }
    platform_keys(settings, key.as_ref(), report);
    apiv3_key(settings, report);
    apiv2(settings, report);
    base_uri(settings, report);
    let Some(client) = client(settings, report) else { return };
    if offline {
        report.skipped("connection", "--offline");
    } else {
        doctor_calls::check(&client, settings, report);
    }
}

fn mchid(settings: &Settings, report: &mut Report) {
    const CHECK: &str = "mchid";
    match settings.mchid.as_deref() {
        None => report.failed(CHECK, "missing: the merchant ID, such as \"1900000109\""),
        Some(mchid) if matches!(mchid.len(), 8..=10) && mchid.bytes().all(|byte| byte.is_ascii_digit()) => {
            report.ok(CHECK, mchid);
        }
        Some(mchid) => report
            .warning(CHECK, format!("{} does not have 8 to 10 digits, as merchant IDs have", excerpt::name(mchid))),
    }
}

fn private_key(settings: &Settings, report: &mut Report) -> Option<PrivateKey> {
    const CHECK: &str = "private_key";
    let Some(setting) = settings.private_key.as_deref() else {
        report.failed(CHECK, "missing: the path of apiclient_key.pem, as file:///path");
        return None;
    };
    let key = report.add_result(CHECK, PrivateKey::from_pem(setting), |_| "an RSA private key".to_owned());
    if let Some(warning) = settings.private_key_permissions() {
        report.warning("private_key file", warning);
    }
    key
}

/// The merchant certificate: that of the settings, or else `apiclient_cert.pem` in the folder of
/// the private key, where WeChat Pay's certificate tool writes it.
fn merchant_certificate(settings: &Settings, report: &mut Report) -> Option<Certificate> {
    const CHECK: &str = "certificate";
    let from_settings = || settings.merchant.as_ref()?.cert.as_deref().map(pem_or_file);
    let next_to_key = || {
        let key = settings::file_path(settings.private_key.as_ref()?)?;
        let path = Path::new(key).with_file_name("apiclient_cert.pem");
        path.is_file().then(|| format!("file://{}", path.display()))
    };
    let Some(source) = from_settings().or_else(next_to_key) else {
        report.skipped(
            CHECK,
            "apiclient_cert.pem is not in the folder of the private key, so the key and the serial are not compared with it",
        );
        return None;
    };
    let certificate = report.add_result(CHECK, Certificate::from_pem(&source), |certificate| {
        let owner = certificate.common_name().unwrap_or("(no common name)");
        format!("serial {}, issued to {owner}", certificate.serial())
    })?;
    validity("certificate validity", &certificate, report);
    Some(certificate)
}

fn validity(check: &'static str, certificate: &Certificate, report: &mut Report) {
    let now = SystemTime::now();
    let serial = certificate.serial();
    if now < certificate.not_before() {
        report.failed(check, format!("the certificate {serial} is not valid yet: check this machine's clock"));
    } else if !certificate.is_valid_at(now) {
        report.failed(check, format!("the certificate {serial} has expired: renew it on the merchant platform"));
    } else if !certificate.is_valid_at(now + EXPIRY_WARNING) {
        report.warning(check, format!("the certificate {serial} expires within a month"));
    }
}

fn serial(settings: &Settings, certificate: Option<&Certificate>, report: &mut Report) {
    const CHECK: &str = "serial";
    let Some(serial) = settings.serial.as_deref() else {
        report.failed(CHECK, "missing: openssl x509 -in apiclient_cert.pem -noout -serial prints it");
        return;
    };
    let is_platform_key = settings.certs.keys().any(|id| id.eq_ignore_ascii_case(serial));
    if serial.starts_with("PUB_KEY_ID_") || is_platform_key {
        report.failed(CHECK, "it is the ID of a platform key: set the serial number of the merchant certificate");
    } else if is_decimal_serial(serial) {
        report.failed(CHECK, "it is a decimal number: write the serial number in hexadecimal");
    } else if !matches!(serial.len(), 1..=40) || !serial.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        report.failed(CHECK, "it is not a hexadecimal number: write it without \"serial=\" and colons");
    } else {
        match certificate {
            Some(certificate) if !certificate.serial().eq_ignore_ascii_case(serial) => report.failed(
                CHECK,
                format!("it is not the serial number of the certificate, which is {}", certificate.serial()),
            ),
            Some(_) => report.ok(CHECK, "matches the certificate"),
            None => report.ok(CHECK, "a hexadecimal number"),
        }
    }
}

/// Checks that the certificate belongs to the private key and to the merchant.
fn certificate_match(settings: &Settings, key: Option<&PrivateKey>, certificate: &Certificate, report: &mut Report) {
    if let Some(key) = key {
        const CHECK: &str = "key and certificate";
        if key.public_key() == *certificate.public_key() {
            report.ok(CHECK, "they match");
        } else {
            report.failed(
                CHECK,
                "the private key does not match the certificate: take both from the same folder of WeChat Pay's certificate tool",
            );
        }
    }
    let mchid = settings.mchid.as_deref().unwrap_or_default();
    if let Some(owner) = certificate.common_name().filter(|owner| *owner != mchid) {
        report.failed(
            "certificate owner",
            format!("the certificate belongs to the merchant {owner:?}, and mchid is {}", excerpt::name(mchid)),
        );
    }
}

fn platform_keys(settings: &Settings, merchant_key: Option<&PrivateKey>, report: &mut Report) {
    if settings.certs.is_empty() {
        const CHECK: &str = "platform keys";
        if settings.apiv3_key.is_some() {
            report.ok(CHECK, "none in the settings; certificates are downloaded with the APIv3 key");
        } else {
            report.failed(CHECK, "none: set pub_key.pem with its PUB_KEY_ID_..., or the apiv3_key");
        }
    }
    for (id, source) in &settings.certs {
        platform_key(id, source, merchant_key, report);
    }
}

fn platform_key(id: &str, source: &str, merchant_key: Option<&PrivateKey>, report: &mut Report) {
    let key = PublicKey::from_pem(source).map_err(|error| error.message().to_owned()).and_then(|key| {
        if merchant_key.is_some_and(|merchant_key| merchant_key.public_key() == key) {
            return Err("it is the merchant's own key or certificate: set the platform's".to_owned());
        }
        validate_id(&normalize_id(id.to_owned()), &key)?;
        Ok(key)
    });
    let key = key.map_err(|reason| format!("{}: {reason}", shown_id(id)));
    let Some(key) = report.add_result("platform key", key, |_| id.to_owned()) else { return };
    if key.certificate_serial().is_some() {
        if let Ok(certificate) = Certificate::from_pem(source) {
            validity("platform certificate", &certificate, report);
        }
    } else if id.len() != PLATFORM_KEY_ID_LENGTH {
        report.warning(
            "platform key id",
            format!("{id} does not have the length of such an ID: copy the whole ID from the merchant platform"),
        );
    }
}

fn apiv3_key(settings: &Settings, report: &mut Report) {
    const CHECK: &str = "apiv3_key";
    match settings.apiv3_key.as_ref().map(String::len) {
        None => report.skipped(CHECK, "missing: notifications and platform certificates need it"),
        Some(APIV3_KEY_LENGTH) => report.ok(CHECK, "correct length"),
        Some(length) => report.failed(
            CHECK,
            format!(
                "it has {length} bytes and needs {APIV3_KEY_LENGTH}: copy it from the merchant platform, under API security"
            ),
        ),
    }
}

fn apiv2(settings: &Settings, report: &mut Report) {
    if let Some(secret) = &settings.secret {
        const CHECK: &str = "secret (APIv2)";
        if secret.len() == APIV2_KEY_LENGTH {
            report.ok(CHECK, "correct length");
        } else {
            report.warning(CHECK, format!("it has {} bytes, and APIv2 keys have {APIV2_KEY_LENGTH}", secret.len()));
        }
    }
    if settings.merchant.is_some() {
        // Only the certificate is checked here, so the client needs no other valid setting.
        let identity = Settings {
            mchid: settings.mchid.clone(),
            secret: Some("0".repeat(APIV2_KEY_LENGTH)),
            merchant: settings.merchant.clone(),
            ..Settings::default()
        };
        let client = identity.client_builder().and_then(ClientBuilder::build);
        let client = client.map_err(|error| error.message().to_owned());
        report.add_result("merchant (APIv2)", client, |_| "a certificate and its private key".to_owned());
    }
}

fn base_uri(settings: &Settings, report: &mut Report) {
    match settings.base_uri.as_deref() {
        None => report.ok("base_uri", "WeChat Pay's own"),
        Some(uri) => {
            report.add_result("base_uri", BaseUri::parse(uri), |_| uri.to_owned());
        }
    }
}

fn client(settings: &Settings, report: &mut Report) -> Option<Client> {
    let client = settings.clone().client_builder().and_then(ClientBuilder::build);
    if client.is_err() && report.has_failures() {
        // It is the error of a check above, which explains it better.
        report.skipped("client", "not built, because a check above failed");
        return None;
    }
    report.add_result("client", client, |_| "the settings are consistent".to_owned())
}
