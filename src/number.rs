//! Numbers as text.

/// placeholder until the number module lands
pub(crate) fn parse_float(bytes: &[u8]) -> Option<f64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
