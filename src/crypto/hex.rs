//! Hexadecimal text.

/// Lower-case hexadecimal digits, two for a byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
