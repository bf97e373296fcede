//! The fields of a call, their types, and the places where they are sent.

/// The fields that a request has in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section {
    /// The place.
    pub place: Place,
    /// Whether the documentation marks the whole place as required.
    pub required: bool,
    /// The fields, in the order of the documentation.
    pub fields: Vec<Field>,
}

/// A field of a request, of a response or of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The name. `$n` and `$m` in it stand for numbers, as in `coupon_type_$n`.
    pub name: String,
    /// The type; of the elements, if the field is a list.
    pub field_type: FieldType,
    /// Whether the field is a list.
    pub list: bool,
    /// Whether the documentation marks the field as required.
    pub required: bool,
    /// How the text of the field is made.
    pub encoding: Encoding,
    /// The values that the documentation lists; empty if it lists none.
    pub values: Vec<String>,
    /// The fields of an object, or of the JSON in a text.
    pub fields: Vec<Field>,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldType {
    /// A text.
    String,
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An object.
    Object,
}

/// How the text of a field is made from the value in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// It is the value.
    #[default]
    Plain,
    /// Encrypted with RSA-OAEP: in a request with the platform's key, in a response with the
    /// merchant's.
    Encrypted,
    /// JSON, as text.
    Json,
    /// Fields and values as in the query of a URL.
    UrlEncoded,
    /// A signature with the merchant's private key.
    Signed,
    /// Encrypted with AES-256-GCM and the APIv3 key, in notifications.
    AesGcm,
    /// Encrypted with AES-256-ECB and the APIv2 key, in notifications.
    AesEcb,
}

/// A place for fields in a request. The names are those of the options of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// Variables of the path.
    Path,
    /// The query.
    Query,
    /// The headers.
    Headers,
    /// The JSON body.
    Json,
    /// The XML body of APIv2.
    Xml,
    /// The parts of an upload, or the body of a notification.
    Body,
}

/// What the body of a 2xx response is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseKind {
    /// The body is empty.
    #[default]
    Empty,
    /// JSON.
    Json,
    /// XML, in APIv2.
    Xml,
    /// Text, such as a bill.
    Text,
    /// A file.
    File,
    /// A redirect: the address is opened in a browser.
    Redirect,
}

impl FieldType {
    const NAMES: [(&'static str, FieldType); 5] = [
        ("string", FieldType::String),
        ("integer", FieldType::Integer),
        ("number", FieldType::Number),
        ("boolean", FieldType::Boolean),
        ("object", FieldType::Object),
    ];

    /// Returns the name in the documentation, such as `"integer"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        name(&Self::NAMES, self)
    }

    pub(super) fn from_name(text: &str) -> Option<FieldType> {
        from_name(&Self::NAMES, text)
    }
}

impl Encoding {
    /// The marks in the text of the catalogue.
    const NAMES: [(&'static str, Encoding); 7] = [
        ("", Encoding::Plain),
        ("encrypted", Encoding::Encrypted),
        ("json", Encoding::Json),
        ("url-encoded", Encoding::UrlEncoded),
        ("signed", Encoding::Signed),
        ("aes-gcm", Encoding::AesGcm),
        ("aes-ecb", Encoding::AesEcb),
    ];

    /// Returns the name, such as `"encrypted"`; empty for a plain value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        name(&Self::NAMES, self)
    }

    pub(super) fn from_name(text: &str) -> Option<Encoding> {
        from_name(&Self::NAMES, text)
    }
}

impl Place {
    const NAMES: [(&'static str, Place); 6] = [
        ("path", Place::Path),
        ("query", Place::Query),
        ("headers", Place::Headers),
        ("json", Place::Json),
        ("xml", Place::Xml),
        ("body", Place::Body),
    ];

    /// Returns the name, such as `"query"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        name(&Self::NAMES, self)
    }

    pub(super) fn from_name(text: &str) -> Option<Place> {
        from_name(&Self::NAMES, text)
    }
}

impl ResponseKind {
    const NAMES: [(&'static str, ResponseKind); 6] = [
        ("empty", ResponseKind::Empty),
        ("json", ResponseKind::Json),
        ("xml", ResponseKind::Xml),
        ("text", ResponseKind::Text),
        ("file", ResponseKind::File),
        ("redirect", ResponseKind::Redirect),
    ];

    /// Returns the name, such as `"json"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        name(&Self::NAMES, self)
    }

    pub(super) fn from_name(text: &str) -> Option<ResponseKind> {
        from_name(&Self::NAMES, text)
    }
}

fn name<T: Copy + PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, other)| *other == value).map_or("", |(name, _)| name)
}

fn from_name<T: Copy>(names: &[(&'static str, T)], text: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
}
