//! The two versions of the API, which differ in format and signature.

/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiVersion {
    /// XML, signed within the body.
    V2,
    /// JSON, signed in the headers.
    V3,
}

impl ApiVersion {
    /// The version of a request. Paths of APIv3 name it in one of their first two segments.
    pub(super) fn of_path(path: &str) -> Self {
        if path.split('/').take(3).any(|segment| segment == "v3") { ApiVersion::V3 } else { ApiVersion::V2 }
    }
}
