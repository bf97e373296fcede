//! [`chain!`](crate::chain!): a path that the compiler writes and checks.

use crate::proto::case;

/// What the text of these names needs at most.
#[must_use]
pub const fn room(names: &[&str]) -> usize {
    let (mut room, mut i) = (0, 0);
    while i < names.len() {
        room += case::max_len(names[i]) + 1;
        i += 1;
    }
    room
}

/// The names as template text, joined by one slash each, and its length. What is wrong with a name
/// is an error of the compiler.
#[must_use]
#[allow(clippy::panic, reason = "it is the compiler that panics, and this is how it is told to")]
pub const fn text<const ROOM: usize>(names: &[&str]) -> ([u8; ROOM], usize) {
    let mut out = [0; ROOM];
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
            // A word of Rust, written so that it is a name.
            [b'r', b'#', word @ ..] => word,
            name => name,
        };
        end = match case::write(name, &mut out, begin) {
            Ok(end) => end,
            Err(fault) => panic!("{}", fault.message()),
        };
        // Only now, since the first name of a path is read in its own way.
        if i > 0 {
            end = without_first_slashes(&mut out, begin, end);
        }
        i += 1;
    }
    (out, end)
}

/// Takes the slashes away with which a name begins, and returns where it ends then.
const fn without_first_slashes(out: &mut [u8], begin: usize, end: usize) -> usize {
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

/// The bytes as the text they are.
#[must_use]
#[allow(clippy::panic, reason = "as above")]
pub const fn str<const ROOM: usize>(written: &'static ([u8; ROOM], usize)) -> &'static str {
    match std::str::from_utf8(written.0.split_at(written.1).0) {
        Ok(text) => text,
        Err(_) => panic!("the names are no text"),
    }
}

/// A chain as PHP writes it: `chain!(client->v3->pay->transactions->_id_)`.
///
/// What stands before the first arrow is a client or a chain: a name, or an expression in
/// parentheses. All that PHP's chain takes is taken:
///
/// | | |
/// | --- | --- |
/// | `->membercardOpen`, `->_card_id_` | a name, a variable |
/// | `->{"{card_id}"}`, `->"permission-tokens"` | a name or a path that is no name of Rust |
/// | `->{name}`, `->chain(path)` | one that is known at run time only |
/// | `->chain("pay/transactions")`, `["pay/transactions"]` | a path |
/// | `->post(options)`, `->postAsync(options)` | a verb, and after it any method, such as `->then(...)` or `->wait()` |
///
/// The names are checked and written by the compiler, so that a mistake in them does not compile,
/// and the path is parsed once in the life of the program.
///
/// ```
/// # fn show(client: wechatpay_chain::Client, number: &str) -> Result<(), wechatpay_chain::Error> {
/// use serde_json::json;
/// use wechatpay_chain::chain;
///
/// assert_eq!(
///     chain!(client->v3->marketing->membercardOpen->cards->{"{card_id}"}->"permission-tokens").template()?,
///     "v3/marketing/membercard-open/cards/{card_id}/permission-tokens",
/// );
/// chain!(client->v3->pay->transactions->id->_id_->getAsync(json!({ "id": number }))->then(|answer| println!("{}", answer.text()))->wait())?;
/// # Ok(()) }
/// ```
///
/// A value pasted into the path, which would lose its capitals, does not compile:
///
/// ```compile_fail
/// # fn show(client: wechatpay_chain::Client) {
/// wechatpay_chain::chain!(client->v3->cards->pbLatjvWOibDc5);
/// # }
/// ```
#[macro_export]
macro_rules! chain {
    // Names that are known, one after the other.
    (@names $c:tt [$($n:tt)*] -> chain ($path:literal) $($rest:tt)*) => { $crate::chain!(@names $c [$($n)* $path] $($rest)*) };
    (@names $c:tt [$($n:tt)*] [$path:literal] $($rest:tt)*) => { $crate::chain!(@names $c [$($n)* $path] $($rest)*) };
    (@names $c:tt [$($n:tt)*] -> {$name:literal} $($rest:tt)*) => { $crate::chain!(@names $c [$($n)* $name] $($rest)*) };
    (@names $c:tt [$($n:tt)*] -> $name:literal $($rest:tt)*) => { $crate::chain!(@names $c [$($n)* $name] $($rest)*) };
    // Names that are known at run time only.
    (@names $c:tt [$($n:tt)*] -> chain ($path:expr) $($rest:tt)*) => {
        $crate::chain!(@names ($crate::chain!(@path $c [$($n)*]).chain($path)) [] $($rest)*)
    };
    (@names $c:tt [$($n:tt)*] -> {$name:expr} $($rest:tt)*) => {
        $crate::chain!(@names ($crate::chain!(@path $c [$($n)*]).seg($name)) [] $($rest)*)
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
            const WRITTEN: &([u8; $crate::__private::room(NAMES)], usize) = &$crate::__private::text(NAMES);
            static PATH: $crate::__private::Path = $crate::__private::Path::literal($crate::__private::str(WRITTEN));
            &PATH
        })
    };
    (@name $name:literal) => { $name };
    (@name $name:ident) => { stringify!($name) };

    ($client:tt -> $($rest:tt)+) => { $crate::chain!(@names ($client) [] -> $($rest)+) };
    ($client:tt [$path:literal] $($rest:tt)*) => { $crate::chain!(@names ($client) [$path] $($rest)*) };
}
