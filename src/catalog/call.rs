//! Documented calls and notifications.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use http::Method;
use serde_json::Value;

use super::field::{Encoding, Field, FieldType, Place, ResponseKind, Section};
use super::record::{self, Details};

/// A documented call.
///
/// Only its first line is read when the catalogue is loaded. The rest is parsed at the first access
/// and kept.
pub struct Call {
    record: Cow<'static, str>,
    details: OnceLock<Details>,
}

/// A documented notification.
pub struct Notification {
    record: Cow<'static, str>,
    details: OnceLock<Details>,
}

impl Call {
    pub(super) fn new(record: Cow<'static, str>) -> Self {
        Call { record, details: OnceLock::new() }
    }

    /// The method, the template and the title.
    fn head(&self) -> (&str, &str, &str) {
        let line = self.record.lines().next().unwrap_or_default();
        let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (template, title) = rest.split_once(' ').unwrap_or((rest, ""));
        (method, template, title)
    }

    fn details(&self) -> &Details {
        self.details.get_or_init(|| record::details_or_default(&self.record))
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> Method {
        Method::from_bytes(self.head().0.as_bytes()).unwrap_or_default()
    }

    pub(super) fn method_name(&self) -> &str {
        self.head().0
    }

    /// Returns the path template, such as `v3/pay/transactions/id/{transaction_id}`. `None` if the
    /// documentation has none, because a browser makes the call and not a client.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        Some(self.head().1).filter(|template| *template != record::NONE)
    }

    /// Returns the title of the page, in Chinese.
    #[must_use]
    pub fn title(&self) -> &str {
        self.head().2
    }

    /// Returns the base URI, if it is another than `https://api.mch.weixin.qq.com/` and the
    /// documentation gives it.
    #[must_use]
    pub fn base_uri(&self) -> Option<&str> {
        self.details().base_uri.as_deref().filter(|base_uri| *base_uri != record::NONE)
    }

    /// Returns the addresses of the official pages.
    pub fn links(&self) -> impl Iterator<Item = String> + '_ {
        self.details().links.iter().map(|link| record::full_link(link))
    }

    /// Returns the options that the documentation gives with the call besides its fields, such as
    /// `security` and `nonceless`.
    #[must_use]
    pub fn options(&self) -> &[String] {
        &self.details().options
    }

    /// Returns whether the call needs the merchant certificate over TLS.
    #[must_use]
    pub fn needs_certificate(&self) -> bool {
        self.options().iter().any(|option| option == "security")
    }

    /// Returns the fields of the request, by place.
    #[must_use]
    pub fn request(&self) -> &[Section] {
        &self.details().request
    }

    /// Returns the fields of the request in one place.
    #[must_use]
    pub fn fields(&self, place: Place) -> &[Field] {
        self.section(place).map_or(&[], |section| &section.fields)
    }

    pub(super) fn section(&self, place: Place) -> Option<&Section> {
        self.request().iter().find(|section| section.place == place)
    }

    /// Returns what the body of a 2xx response is.
    #[must_use]
    pub fn response_kind(&self) -> ResponseKind {
        self.details().response_kind
    }

    /// Returns the fields of the response.
    #[must_use]
    pub fn response(&self) -> &[Field] {
        &self.details().response
    }

    /// Returns the paths of the fields in a place that are sent encrypted, such as
    /// `contact_info.mobile_phone`. The option `encrypt` takes such paths.
    #[must_use]
    pub fn encrypted_request_fields(&self, place: Place) -> Vec<String> {
        encrypted(self.fields(place), "")
    }

    /// Returns the paths of the fields of the response that are received encrypted.
    #[must_use]
    pub fn encrypted_response_fields(&self) -> Vec<String> {
        encrypted(self.response(), "")
    }

    /// The paths of the encrypted fields of the request that are present in a value. The error is
    /// the path of a value that should be an object with such fields, and is not one.
    pub(crate) fn encrypted_in_request(&self, place: Place, value: &Value) -> Result<Vec<String>, String> {
        let mut present = Present::default();
        let fields = self.fields(place);
        if has_encrypted(fields) {
            present.find_in_object(fields, place.as_str(), "", &[value]);
        }
        present.opaque.map_or(Ok(present.paths.into_iter().collect()), Err)
    }

    /// The paths of the encrypted fields of the response that are present in a value.
    #[cfg(feature = "aws-lc-rs")]
    pub(crate) fn encrypted_in_response(&self, value: &Value) -> Vec<String> {
        let mut present = Present::default();
        present.find(self.response(), "", &[value]);
        present.paths.into_iter().collect()
    }
}

/// The paths of the encrypted fields.
fn encrypted(fields: &[Field], prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        if field.encoding == Encoding::Encrypted {
            found.push(path);
        } else {
            found.extend(encrypted(&field.fields, &format!("{path}.")));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The encrypted fields that occur in a value.
#[derive(Default)]
struct Present {
    paths: BTreeSet<String>,
    /// The path of a value that cannot be searched.
    opaque: Option<String>,
}

impl Present {
    fn find(&mut self, fields: &[Field], prefix: &str, values: &[&Value]) {
        for field in fields {
            let mut members = Vec::new();
            values.iter().filter_map(|value| value.get(&field.name)).for_each(|member| elements(member, &mut members));
            let path = format!("{prefix}{}", field.name);
            if members.is_empty() {
            } else if field.encoding == Encoding::Encrypted {
                self.paths.insert(path);
            } else if field.field_type == FieldType::Object && has_encrypted(&field.fields) {
                self.find_in_object(&field.fields, &path, &format!("{path}."), &members);
            } else if has_encrypted(&field.fields) {
                // The fields are inside of a text.
                self.opaque.get_or_insert(path);
            }
        }
    }

    /// `values`: what is given for an object, or for a list of objects.
    fn find_in_object(&mut self, fields: &[Field], path: &str, prefix: &str, values: &[&Value]) {
        let mut objects = Vec::new();
        values.iter().for_each(|value| elements(value, &mut objects));
        if !objects.iter().all(|value| value.is_object() || value.is_null()) {
            self.opaque.get_or_insert_with(|| path.to_owned());
        }
        self.find(fields, prefix, &objects);
    }
}

fn has_encrypted(fields: &[Field]) -> bool {
    fields.iter().any(|field| field.encoding == Encoding::Encrypted || has_encrypted(&field.fields))
}

/// The elements of a list and of the lists in it, or the value itself.
fn elements<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| elements(item, out)),
        other => out.push(other),
    }
}

impl Notification {
    pub(super) fn new(record: Cow<'static, str>) -> Self {
        Notification { record, details: OnceLock::new() }
    }

    /// The name and the title.
    fn head(&self) -> (&str, &str) {
        let line = self.record.lines().next().unwrap_or_default();
        let line = line.strip_prefix(record::NOTIFICATION).unwrap_or(line).trim_start();
        line.split_once(' ').unwrap_or((line, ""))
    }

    fn details(&self) -> &Details {
        self.details.get_or_init(|| record::details_or_default(&self.record))
    }

    /// Returns the name of its page, such as `v3/COUPON.SEND` or `v2/refund-processed`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.head().0
    }

    /// Returns the title of the page, in Chinese.
    #[must_use]
    pub fn title(&self) -> &str {
        self.head().1
    }

    /// Returns the event types, such as `COUPON.SEND`. Notifications of APIv2 mostly have none.
    #[must_use]
    pub fn event_types(&self) -> &[String] {
        &self.details().events
    }

    /// Returns the original types of the resource, such as `coupon`; empty if the documentation
    /// does not list them.
    #[must_use]
    pub fn original_types(&self) -> &[String] {
        &self.details().originals
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &[Field] {
        self.fields(Place::Headers)
    }

    /// Returns the fields of the body. The fields of the decrypted resource are below the field
    /// that is encrypted.
    #[must_use]
    pub fn body(&self) -> &[Field] {
        self.fields(Place::Body)
    }

    fn fields(&self, place: Place) -> &[Field] {
        let section = self.details().request.iter().find(|section| section.place == place);
        section.map_or(&[], |section| &section.fields)
    }

    /// Returns the fields of the decrypted resource.
    #[must_use]
    pub fn resource(&self) -> &[Field] {
        fn find(fields: &[Field]) -> Option<&Field> {
            fields.iter().find_map(|field| match field.encoding {
                Encoding::AesGcm | Encoding::AesEcb => Some(field),
                _ => find(&field.fields),
            })
        }
        find(self.body()).map_or(&[], |field| &field.fields)
    }

    /// Returns the fields of the response to the notification.
    #[must_use]
    pub fn reply(&self) -> &[Field] {
        &self.details().response
    }

    /// Returns the addresses of the official pages.
    pub fn links(&self) -> impl Iterator<Item = String> + '_ {
        self.details().links.iter().map(|link| record::full_link(link))
    }
}

/// The method, the template and the title.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.record.lines().next().unwrap_or_default()).finish()
    }
}

/// The name and the title.
impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notification").field(&self.record.lines().next().unwrap_or_default()).finish()
    }
}
