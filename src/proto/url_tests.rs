//! Tests of the strict URL parser.

use super::url::{Url, without_userinfo};

fn reason(text: &str) -> &'static str {
    match Url::parse(text) {
        Ok(_) => "accepted",
        Err(reason) => reason,
    }
}

#[test]
fn unambiguous_urls_are_accepted() {
    for (text, userinfo, host, port) in [
        ("https://api.mch.weixin.qq.com/", None, "api.mch.weixin.qq.com", ""),
        ("HTTP://H_1.example.:8080/x?y=z", None, "H_1.example.", ":8080"),
        ("http://127.0.0.1:65535", None, "127.0.0.1", ":65535"),
        ("http://[::1]:1/", None, "[::1]", ":1"),
        ("socks5h://CORP%5Cuser:p%40ss%23%2F%3A@proxy:1080", Some("CORP%5Cuser:p%40ss%23%2F%3A"), "proxy", ":1080"),
        ("http://user@h", Some("user"), "h", ""),
        ("http://:token@h", Some(":token"), "h", ""),
        (
            "http://user:a:b!$&'()*+,;=-._~%E5%AF%86@1.2.3.com",
            Some("user:a:b!$&'()*+,;=-._~%E5%AF%86"),
            "1.2.3.com",
            "",
        ),
        ("https://xn--fiqs8s/%E4%B8%AD%25", None, "xn--fiqs8s", ""),
    ] {
        let url = Url::parse(text).expect(text);
        assert_eq!((url.userinfo, url.host, &url.host_and_port[host.len()..]), (userinfo, host, port), "{text}");
    }
}

#[test]
fn ambiguous_urls_are_refused() {
    for (text, expected) in [
        ("http://user:se#cret@h:1", "%23"),
        ("http://user:p@ss@h", "several \"@\""),
        ("http://us@er:pass@h", "several \"@\""),
        ("http://user:pa/ss@h", "%2F"),
        ("http://user:pa?ss@h", "%3F"),
        ("http://12:34/56@h", "%2F"),
        ("http://CORP\\user:pass@h", "CORP%5Cuser"),
        ("http://user:pa ss@h", "a space"),
        ("http://user:pa\tss@h", "a control character"),
        ("http://user:pa\u{0}ss@h", "a control character"),
        ("http://user:pä@h", "outside of ASCII"),
        ("http://user:pa%ss@h", "%25"),
        ("http://user:pass%@h", "%25"),
        ("http://user:pa%00ss@h", "encoded control"),
        ("http://user:pa%0D%0Ass@h", "encoded control"),
        ("http://user:%FF@h", "UTF-8"),
        ("http://user:pa[ss@h", "a reserved character"),
        ("http://user:pa\"ss@h", "a reserved character"),
        ("http://user:pa{ss@h", "a reserved character"),
        ("http://@h", "without a user name"),
        ("http://user:se", "its port"),
        ("http://h:99999/", "its port"),
        ("http://h:65536/", "its port"),
        ("http://h:0443/", "its port"),
        ("http://h:0/", "its port"),
        ("http://h:/", "its port"),
        ("http://h:+1/", "its port"),
        ("http://h:1:2/", "its port"),
        ("http://h/%00/", "encoded control"),
        ("http://h/%7f", "encoded control"),
        ("http://h%2Fx/", "its host contains"),
        ("http://h%00/", "its host contains"),
        ("http://h;x/", "its host contains"),
        ("http://中.cn/", "Punycode"),
        ("http://a..b/", "empty label"),
        ("http://./", "empty label"),
        ("http:///x", "no host"),
        ("http://user:pass@/x", "no host"),
        ("http://[::1/", "\"]\" is missing"),
        ("http://[::1]x/", "followed by"),
        ("http://[fe80::1%25eth0]/", "not an IPv6 address"),
        ("http://0177.0.0.1/", "not an IPv4 address"),
        ("http://127.1/", "not an IPv4 address"),
        ("http://2130706433/", "not an IPv4 address"),
        ("http://0x7f.1/", "not an IPv4 address"),
        ("http://a.0xF/", "not an IPv4 address"),
        ("http://127.0.0.1./", "not an IPv4 address"),
        ("user:pass@h", "no scheme"),
        ("user:a://b@h", "no scheme"),
        ("1http://h", "no scheme"),
        ("", "no scheme"),
        (&"x".repeat(3000), "longer than"),
    ] {
        assert!(reason(text).contains(expected), "{text}: {}", reason(text));
        assert_eq!(without_userinfo(text), "***", "{text}");
    }
}

#[test]
fn user_info_is_hidden() {
    assert_eq!(without_userinfo("http://user:pass@h:1/x?y"), "http://***@h:1/x?y");
    assert_eq!(without_userinfo("http://h:1/x?y"), "http://h:1/x?y");
}
