//! Hexadecimal text.

/// Returns the bytes as lower-case hexadecimal digits, two for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
