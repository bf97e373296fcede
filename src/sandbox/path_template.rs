//! Path templates: `v3/refund/domestic/refunds/{out_refund_no}`.

use percent_encoding::percent_decode_str;

/// The variables of a path by name.
pub(super) type Variables<'a> = Vec<(&'a str, String)>;

/// Matches a path with a template. Returns the percent-decoded variables, or `None` if the path
/// does not match.
pub(super) fn matches<'a>(template: &'a str, path: &str) -> Option<Variables<'a>> {
    let path = path.strip_prefix('/')?;
    let mut expected = template.split('/');
    let mut variables = Vec::new();
    for segment in path.split('/') {
        let pattern = expected.next()?;
        match pattern.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => {
                variables.push((name, percent_decode_str(segment).decode_utf8().ok()?.into_owned()));
            }
            _ if pattern == segment => {}
            _ => return None,
        }
    }
    expected.next().is_none().then_some(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_and_decoded() {
        assert_eq!(matches("a/{x}/b/{y}", "/a/1%2F2/b/3"), Some(vec![("x", "1/2".to_owned()), ("y", "3".to_owned())]));
        for path in ["/a/1/b", "/a/1/b/2/c", "/a//b/2", "a/1/b/2", "/a/1/c/2"] {
            assert_eq!(matches("a/{x}/b/{y}", path), None, "{path}");
        }
        assert_eq!(matches("a/b", "/a/b"), Some(Vec::new()));
    }
}
