//! A strict parser for URLs that come from outside: settings, options and the environment.
//!
//! Programs read some URLs differently. `http://user:se#cret@proxy:1` names the host `proxy` to its
//! author and the host `user` to a parser, and `http://0177.0.0.1/` is a loopback address to a
//! browser only. This parser accepts only URLs that have one reading. No error contains a part of
//! the URL, because any part may belong to a password.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use percent_encoding::percent_decode_str;

/// The host of a URI, without the brackets of an IPv6 address.
pub(crate) fn server_address(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_matches(['[', ']'])
}

/// The port of a URI, or the default port of its scheme.
pub(crate) fn server_port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 })
}

/// The parts of an unambiguous URL.
#[derive(Clone, Copy)]
pub(crate) struct Url<'a> {
    /// As written, without `://`.
    pub(crate) scheme: &'a str,
    pub(crate) userinfo: Option<&'a str>,
    /// The host with its port, if it has one.
    pub(crate) host_and_port: &'a str,
    pub(crate) host: &'a str,
    /// Path and query.
    pub(crate) rest: &'a str,
}

/// URLs that are longer are usually something else in the wrong setting.
const MAX_LENGTH: usize = 2048;

impl<'a> Url<'a> {
    /// Parses a URL with scheme and host. The error is a clause.
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > MAX_LENGTH {
            return Err("it is longer than 2048 bytes, so it is not a URL");
        }
        check_characters(text)?;
        let (scheme, after) = text.split_once("://").ok_or("it has no scheme")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return Err("it has no scheme");
        }
        let (authority, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        if rest.contains('@') {
            return Err("it contains \"@\" after \"/\" or \"?\": in a user name or password, write \"@\" as %40, \
                        \"/\" as %2F and \"?\" as %3F");
        }
        let (userinfo, host_and_port) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        userinfo.map_or(Ok(()), check_userinfo)?;
        let (host, port) = split_port(host_and_port)?;
        check_host(host)?;
        port.map_or(Ok(()), check_port)?;
        if has_encoded_control(rest) {
            return Err("it contains a percent-encoded control character");
        }
        // The parser of the HTTP library must read the same host.
        let uri: Uri = text.parse().map_err(|_| "it is not a URI")?;
        if uri.host() != Some(host) || uri.port().map(|port| port.as_str().to_owned()).as_deref() != port {
            return Err("it is not a URI");
        }
        Ok(Url { scheme, userinfo, host_and_port, host, rest })
    }
}

/// The host of an http or https URL without user info, such as a `notify_url`. The error is a
/// clause.
#[cfg(feature = "sandbox")]
pub(crate) fn web_host(text: &str) -> Result<&str, &'static str> {
    let url = Url::parse(text)?;
    if !["http", "https"].iter().any(|scheme| url.scheme.eq_ignore_ascii_case(scheme)) {
        return Err("its scheme is neither http nor https");
    }
    if url.userinfo.is_some() {
        return Err("it contains a user name or password");
    }
    Ok(url.host)
}

/// A URL for messages, with user name and password replaced by `***`. Of an ambiguous URL nothing
/// is shown.
pub(crate) fn without_userinfo(text: &str) -> String {
    match Url::parse(text) {
        // It may be a key with a scheme of the PHP SDK, such as private.pkcs8://.
        Ok(_) if text.len() > 512 => "***".to_owned(),
        Ok(Url { userinfo: None, .. }) => text.to_owned(),
        Ok(Url { scheme, host_and_port, rest, .. }) => format!("{scheme}://***@{host_and_port}{rest}"),
        Err(_) => "***".to_owned(),
    }
}

/// Checks for characters that no part of a URL contains, or that programs read differently.
fn check_characters(text: &str) -> Result<(), &'static str> {
    for character in text.chars() {
        match character {
            ' ' | '\0'..='\x1f' | '\x7f' => {
                return Err("it contains a space or a control character: percent-encode it");
            }
            '\\' => {
                return Err("it contains a backslash: percent-encode it, and write CORP\\user as CORP%5Cuser");
            }
            '#' => return Err("it contains \"#\", which begins a fragment: in a user name or password, write %23"),
            character if !character.is_ascii() => {
                return Err("it contains a character outside of ASCII: percent-encode it, and write such a host in \
                            Punycode (xn--)");
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_userinfo(userinfo: &str) -> Result<(), &'static str> {
    if userinfo.contains('@') {
        return Err("it contains several \"@\": in a user name or password, write %40");
    }
    if userinfo.is_empty() {
        return Err("it contains \"@\" without a user name: remove it");
    }
    if !userinfo.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte)) {
        return Err("its user name or password contains a reserved character: percent-encode it");
    }
    let mut after_percent = userinfo.split('%').skip(1).map(str::as_bytes);
    if !after_percent.all(|rest| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())) {
        return Err("its user name or password contains \"%\": write %25");
    }
    let Ok(decoded) = percent_decode_str(userinfo).decode_utf8() else {
        return Err("its user name or password is percent-encoded in another encoding than UTF-8");
    };
    if decoded.contains(char::is_control) {
        return Err("its user name or password contains a percent-encoded control character");
    }
    Ok(())
}

/// Splits the host, which may be an IPv6 address in brackets, from the port.
fn split_port(host_and_port: &str) -> Result<(&str, Option<&str>), &'static str> {
    let end = if host_and_port.starts_with('[') {
        host_and_port.find(']').ok_or("its host begins with \"[\", and \"]\" is missing")? + 1
    } else {
        host_and_port.find(':').unwrap_or(host_and_port.len())
    };
    match host_and_port.split_at(end) {
        (host, "") => Ok((host, None)),
        (host, rest) => match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None => Err("its host is followed by something other than a port"),
        },
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("it has no host");
    }
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return match address.parse::<Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("its host is in brackets, but not an IPv6 address"),
        };
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Err("its host contains a character other than letters, digits, \"-\", \"_\" and \".\"");
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.split('.').any(str::is_empty) {
        return Err("its host has an empty label: remove a \".\"");
    }
    // Browsers read a name with a number at its end as an IPv4 address, whatever the notation.
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let digits = last.strip_prefix("0x").unwrap_or(&last);
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || (digits != last && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("its host ends with a number, but is not an IPv4 address: write four decimal numbers without \
                    leading zeros");
    }
    Ok(())
}

fn check_port(port: &str) -> Result<(), &'static str> {
    let is_number = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && port.parse::<u16>().is_ok() {
        return Ok(());
    }
    Err("its port is not a number from 1 to 65535 without leading zeros")
}

fn has_encoded_control(text: &str) -> bool {
    text.contains('%') && percent_decode_str(text).any(|byte| byte.is_ascii_control())
}
