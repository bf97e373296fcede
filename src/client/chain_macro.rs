//! The macro [`chain!`](crate::chain!), which builds and checks a path at compile time.
//!
//! The macro collects the names of a path in a constant, and the `const fn`s of this module join
//! them into the text of a path template. They write into a buffer of a fixed size, because nothing
//! can be allocated at compile time.

use crate::proto::case;

/// An upper bound for the length of the template text that these names produce.
#[must_use]
pub const fn buffer_len(names: &[&str]) -> usize {
    let (mut len, mut i) = (0, 0);
    while i < names.len() {
        len += case::max_len(names[i]) + 1;
        i += 1;
    }
    len
}

/// Joins the names with single slashes. Returns a buffer that contains the template text, and the
/// length of the text. Panics if a name is invalid, which is a compile error in a constant.
#[must_use]
#[allow(clippy::panic, reason = "a panic in a constant is a compile error")]
pub const fn join_names<const LEN: usize>(names: &[&str]) -> ([u8; LEN], usize) {
    let mut out = [0; LEN];
    let (mut end, mut i) = (0, 0);
    while i < names.len() {
        if i > 0 {
            while end > 0 && out[end - 1] == b'/' {
                end -= 1;
            }
            out[end] = b'/';
            end += 1;
        }
        let begin = end;
        let name = match names[i].as_bytes() {
            // A Rust keyword as a raw identifier, such as `r#type`.
            [b'r', b'#', keyword @ ..] => keyword,
            name => name,
        };
        end = match case::write(name, &mut out, begin) {
            Ok(end) => end,
            Err(fault) => panic!("{}", fault.message()),
        };
        // Leading slashes are removed after the conversion, because the case rule treats the first
        // segment of a name differently.
        if i > 0 {
            end = remove_leading_slashes(&mut out, begin, end);
        }
        i += 1;
    }
    (out, end)
}

/// Removes the leading slashes of the name in `out[begin..end]`, and returns its new end.
const fn remove_leading_slashes(out: &mut [u8], begin: usize, end: usize) -> usize {
    let (mut from, mut to) = (begin, begin);
    while from < end && out[from] == b'/' {
        from += 1;
    }
    while from < end {
        out[to] = out[from];
        (from, to) = (from + 1, to + 1);
    }
    to
}

/// The text in a buffer returned by [`join_names`].
#[must_use]
#[allow(clippy::panic, reason = "a panic in a constant is a compile error")]
pub const fn as_str<const LEN: usize>(joined: &'static ([u8; LEN], usize)) -> &'static str {
    match std::str::from_utf8(joined.0.split_at(joined.1).0) {
        Ok(text) => text,
        Err(_) => panic!("the path is not UTF-8 text"),
    }
}

/// Builds a chain in PHP's syntax: `chain!(client->v3->pay->transactions->_id_)`.
///
/// The first token is a client or a chain: an identifier, or an expression in parentheses. It is
/// followed by any of these:
///
/// | syntax | meaning |
/// | --- | --- |
/// | `->membercardOpen` | a name, converted to kebab-case |
/// | `->_card_id_` | a variable |
/// | `->"permission-tokens"`, `->{"{card_id}"}` | a name that is not a Rust identifier |
/// | `->chain("pay/transactions")`, `["pay/transactions"]` | a path |
/// | `->{name}`, `->chain(path)` | a name or a path, as an expression, without capitals |
/// | `->post(options)`, `->postAsync(options)` | a verb |
/// | `->then(...)`, `->wait()` | after a verb: any method of its result |
///
/// Names and literal paths are checked at compile time, and the path is parsed only once.
/// Expressions are checked when the verb is called.
///
/// ```
/// # fn show(client: wechatpay_chain::Client, id: &str) -> Result<(), wechatpay_chain::Error> {
/// use serde_json::json;
/// use wechatpay_chain::chain;
///
/// let cards = chain!(client->v3->marketing->membercardOpen->cards->{"{card_id}"});
/// assert_eq!(
///     chain!(cards->"permission-tokens").template()?,
///     "v3/marketing/membercard-open/cards/{card_id}/permission-tokens",
/// );
/// chain!(client->v3->pay->transactions->id->_id_->getAsync(json!({ "id": id }))
///     ->then(|response| println!("{}", response.text()))
///     ->wait())?;
/// # Ok(()) }
/// ```
///
/// A value pasted into the path does not compile, because it would be converted to lower case:
///
/// ```compile_fail
/// # fn show(client: wechatpay_chain::Client) {
/// wechatpay_chain::chain!(client->v3->cards->pbLatjvWOibDc5);
/// # }
/// ```
#[macro_export]
macro_rules! chain {
    // Names and literal paths are collected.
    (@names $c:tt [$($n:tt)*] -> chain ($path:literal) $($rest:tt)*) => { $crate::chain!(@names $c [$($n)* $path] $($rest)*) };
    (@names $c:tt [$($n:tt)*] [$path:literal] $($rest:tt)*) => { $crate::chain!(@names $c [$($n)* $path] $($rest)*) };
    (@names $c:tt [$($n:tt)*] -> {$name:literal} $($rest:tt)*) => { $crate::chain!(@names $c [$($n)* $name] $($rest)*) };
    (@names $c:tt [$($n:tt)*] -> $name:literal $($rest:tt)*) => { $crate::chain!(@names $c [$($n)* $name] $($rest)*) };
    // An expression ends the collected names, and the chain is extended at run time.
    (@names $c:tt [$($n:tt)*] -> chain ($path:expr) $($rest:tt)*) => {
        $crate::chain!(@names ($crate::chain!(@path $c [$($n)*]).chain($path)) [] $($rest)*)
    };
    (@names $c:tt [$($n:tt)*] -> {$name:expr} $($rest:tt)*) => {
        $crate::chain!(@names ($crate::chain!(@path $c [$($n)*]).chain($name)) [] $($rest)*)
    };
    // A verb ends the names.
    (@names $c:tt [$($n:tt)*] -> $verb:ident ($($given:tt)*) $($rest:tt)*) => {
        $crate::chain!(@calls ($crate::chain!(@path $c [$($n)*])) -> $verb ($($given)*) $($rest)*)
    };
    (@names $c:tt [$($n:tt)*] -> $name:ident $($rest:tt)*) => { $crate::chain!(@names $c [$($n)* $name] $($rest)*) };
    (@names $c:tt [$($n:tt)*]) => { $crate::chain!(@path $c [$($n)*]) };

    (@calls ($($c:tt)*) -> getAsync ($($g:tt)*) $($rest:tt)*) => { $crate::chain!(@calls ($($c)*.get_async($($g)*)) $($rest)*) };
    (@calls ($($c:tt)*) -> putAsync ($($g:tt)*) $($rest:tt)*) => { $crate::chain!(@calls ($($c)*.put_async($($g)*)) $($rest)*) };
    (@calls ($($c:tt)*) -> postAsync ($($g:tt)*) $($rest:tt)*) => { $crate::chain!(@calls ($($c)*.post_async($($g)*)) $($rest)*) };
    (@calls ($($c:tt)*) -> patchAsync ($($g:tt)*) $($rest:tt)*) => { $crate::chain!(@calls ($($c)*.patch_async($($g)*)) $($rest)*) };
    (@calls ($($c:tt)*) -> deleteAsync ($($g:tt)*) $($rest:tt)*) => { $crate::chain!(@calls ($($c)*.delete_async($($g)*)) $($rest)*) };
    (@calls ($($c:tt)*) -> $method:ident ($($g:tt)*) $($rest:tt)*) => { $crate::chain!(@calls ($($c)*.$method($($g)*)) $($rest)*) };
    (@calls ($($c:tt)*)) => { $($c)* };

    (@path ($($c:tt)*) []) => { $($c)* };
    (@path ($($c:tt)*) [$($n:tt)+]) => {
        $($c)*.__literal({
            const NAMES: &[&str] = &[$($crate::chain!(@name $n)),+];
            const JOINED: &([u8; $crate::__private::buffer_len(NAMES)], usize) = &$crate::__private::join_names(NAMES);
            static PATH: $crate::__private::Path = $crate::__private::Path::literal($crate::__private::as_str(JOINED));
            &PATH
        })
    };
    (@name $name:literal) => { $name };
    (@name $name:ident) => { stringify!($name) };

    ($client:tt -> $($rest:tt)+) => { $crate::chain!(@names ($client) [] -> $($rest)+) };
    ($client:tt [$path:literal] $($rest:tt)*) => { $crate::chain!(@names ($client) [$path] $($rest)*) };
}
