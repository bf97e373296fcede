//! What a check finds in the options of a call.

use std::fmt;

/// A difference between the options of a call and its documentation.
///
/// A finding never contains a value of the options, because values may be personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    kind: FindingKind,
    path: String,
    message: String,
    suggestion: Option<String>,
}

/// What a client does with the findings for a call. The setting is
/// [`ClientBuilder::check`](crate::ClientBuilder::check), and the option of a call is `"check"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// Calls are not checked: `"off"`.
    #[default]
    Off,
    /// Each finding is an event of `tracing`, at the level `WARN`: `"warn"`.
    Warn,
    /// A call with findings is not sent. It fails with an error of the kind
    /// [`Options`](crate::ErrorKind::Options), which lists them: `"deny"`.
    Deny,
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// The catalogue does not have the call.
    UndocumentedCall,
    /// The call has no field of this name here.
    UnknownField,
    /// A field or a variable that the documentation marks as required is missing.
    MissingField,
    /// The value has another type.
    WrongType,
    /// The value is not one of those that the documentation lists.
    ValueNotAllowed,
    /// The field belongs somewhere else in the request.
    WrongPlace,
    /// The field must be encrypted, and its value is not a ciphertext.
    NotEncrypted,
    /// Fields are encrypted, and the header `Wechatpay-Serial` does not name the key.
    MissingSerial,
}

impl FindingKind {
    /// Returns the name of the kind, such as `"unknown field"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FindingKind::UndocumentedCall => "undocumented call",
            FindingKind::UnknownField => "unknown field",
            FindingKind::MissingField => "missing field",
            FindingKind::WrongType => "wrong type",
            FindingKind::ValueNotAllowed => "value not allowed",
            FindingKind::WrongPlace => "wrong place",
            FindingKind::NotEncrypted => "not encrypted",
            FindingKind::MissingSerial => "missing serial",
        }
    }
}

impl Finding {
    pub(super) fn new(kind: FindingKind, path: impl Into<String>, message: impl Into<String>) -> Self {
        Finding { kind, path: path.into(), message: message.into(), suggestion: None }
    }

    pub(super) fn suggesting(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> FindingKind {
        self.kind
    }

    /// Returns the path of the field in the options, such as `json.goods_detail[0].quantity` or
    /// `headers.Wechatpay-Serial`. Empty for a call that is not documented.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what is wrong, with the fix.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the name that was probably meant, the path where the field belongs, or the call that
    /// was probably meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

/// The path and the message.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}
