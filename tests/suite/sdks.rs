//! Other SDKs, pointed at the sandbox by their base URI.
