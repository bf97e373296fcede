//! Tests of `base_uri` and of joining paths to it.

use super::base_uri::{BaseUri, encode_query, has_dot_segment};

fn base(text: &str) -> BaseUri {
    BaseUri::parse(text).expect(text)
}

fn joined(base_uri: &str, reference: &str, query: Option<&str>) -> String {
    match base(base_uri).join(reference, query) {
        Ok(uri) => uri.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn replace_origin_only_of_the_primary_host() {
    let backup = base("https://api2.wechatpay.cn/");
    for (primary, uri, instead) in [
        (BaseUri::DEFAULT, "https://api.mch.weixin.qq.com/v3/x?a=b", Some("https://api2.wechatpay.cn/v3/x?a=b")),
        (BaseUri::DEFAULT, "https://apihk.mch.weixin.qq.com/v3/x", None),
        (BaseUri::DEFAULT, "http://api.mch.weixin.qq.com/v3/x", None),
        ("https://h:8443/", "https://H:8443/v3", Some("https://api2.wechatpay.cn/v3")),
        ("https://h:8443/", "https://h:844/v3", None),
        ("https://h:8443/", "https://h:84433/v3", None),
    ] {
        let uri = uri.parse().expect("uri");
        assert_eq!(backup.replace_origin(&base(primary), &uri).map(|uri| uri.to_string()).as_deref(), instead);
    }
}

#[test]
fn official_is_the_default() {
    assert_eq!(base(BaseUri::DEFAULT), BaseUri::official());
}

#[test]
fn join_follows_rfc_3986() {
    let hk = "https://api.mch.weixin.qq.com/hk/";
    for (base, reference, query, uri) in [
        (BaseUri::DEFAULT, "v3/pay", None, "https://api.mch.weixin.qq.com/v3/pay"),
        ("https://api.mch.weixin.qq.com", "v3/pay", None, "https://api.mch.weixin.qq.com/v3/pay"),
        (hk, "v3/refunds", None, "https://api.mch.weixin.qq.com/hk/v3/refunds"),
        (hk, "/v3/refunds", None, "https://api.mch.weixin.qq.com/v3/refunds"),
        (hk, "v3/x?a=b c", None, "https://api.mch.weixin.qq.com/hk/v3/x?a=b%20c"),
        (hk, "v3/x?a=b", Some("c=d"), "https://api.mch.weixin.qq.com/hk/v3/x?c=d"),
        (hk, "v3/x?a=b", Some(""), "https://api.mch.weixin.qq.com/hk/v3/x"),
        (BaseUri::DEFAULT, "v3/a//b/", None, "https://api.mch.weixin.qq.com/v3/a//b/"),
        (BaseUri::DEFAULT, "v3/a[b]%zz", None, "https://api.mch.weixin.qq.com/v3/a%5Bb%5D%25zz"),
        (BaseUri::DEFAULT, "https://apihk.mch.weixin.qq.com/v3/x", None, "https://apihk.mch.weixin.qq.com/v3/x"),
        ("http://127.0.0.1:80/", "HTTP://127.0.0.1:80/v3", None, "http://127.0.0.1:80/v3"),
    ] {
        assert_eq!(joined(base, reference, query), uri);
    }
}

#[test]
fn join_rejects_other_hosts() {
    for reference in [
        "https://evil.example/v3/x",
        "//evil.example/v3/x",
        "http://api.mch.weixin.qq.com/v3/x",
        "https://api.mch.weixin.qq.com@evil.example/",
        "https://api.mch.weixin.qq.com:8443/v3",
        "https://evilmch.weixin.qq.com/",
        "https://evil.example/.mch.weixin.qq.com",
        "https://evil.example\\.mch.weixin.qq.com/",
        "https://user:pass@api.mch.weixin.qq.com/",
        "https://user:pass/@api.mch.weixin.qq.com/",
        "https://pass?@api.mch.weixin.qq.com/",
        "https://user:12pass@ss@api.mch.weixin.qq.com/",
        "https://pass\\@api.mch.weixin.qq.com/",
        "https:///v3",
    ] {
        let message = joined(BaseUri::DEFAULT, reference, None);
        assert!(message.contains("must not receive"), "{reference}: {message}");
        assert!(!message.contains("pass"), "{message}");
    }
    assert!(joined(BaseUri::DEFAULT, "ftp:x", None).contains("scheme"));
}

#[test]
fn join_rejects_dot_segments_and_fragments() {
    for reference in [
        "v3/../x",
        "v3/./x",
        "..",
        "v3/%2e%2E/x",
        "v3/.%2e",
        "/..",
        "v3/..%2Fx",
        "v3/a%2f..",
        "v3/a%2F%2e%2e%2Fx",
        "v3/..;/x",
        "v3/..;a=b/x",
        "v3/..%3B/x",
        "v3/.;",
        "v3\\..\\x",
        "v3%5C..%5cx",
    ] {
        assert!(joined(BaseUri::DEFAULT, reference, None).contains("segment"), "{reference}");
    }
    for path in ["/v3/.a", "/v3/..a", "/v3/...;", "/v3/a..", "/v3/a..;/", "/v3/%2F/", "/v3/a%2Fb", "/v3/a\\b", "/%2E%2"]
    {
        assert!(!has_dot_segment(path), "{path}");
    }
    assert!(joined(BaseUri::DEFAULT, "v3/x#y", None).contains("fragment"));
    assert!(joined(BaseUri::DEFAULT, "v3/...", None).ends_with("/v3/..."));
}

#[test]
fn errors_of_a_base() {
    for (text, expected) in [
        ("api.mch.weixin.qq.com", "has no scheme"),
        ("/v3/", "has no scheme"),
        ("ftp://api.mch.weixin.qq.com/", "is not supported"),
        ("https://u:secret@host/", "user name"),
        ("http://api.mch.weixin.qq.com/", "require https"),
        ("https://host/?a=b", "query"),
        ("https://host/hk", "must end with"),
        ("https://host/../", "segment"),
        ("https://ho st/", "a space"),
        ("", "it is empty"),
        ("http://api.mch.weixin.qq.com:80/", "require https"),
        ("http://api.mch.weixin.qq.com:8080/", "require https"),
        ("http://api.mch.weixin.qq.com./", "require https"),
        ("http://API.Mch.Weixin.QQ.com.:443/", "require https"),
        ("http://mch.weixin.qq.com/", "require https"),
        ("http://wechatpay.cn/", "require https"),
        ("http://a.b.wechatpay.cn/", "require https"),
        ("HTTP://payapp.weixin.qq.com/", "require https"),
        ("https://host:0443/", "its port"),
        ("https://host:99999/", "its port"),
        ("https://host/%00/", "encoded control"),
        ("https://host/#secret", "%23"),
        ("https://us\\er@host/", "CORP%5Cuser"),
        ("https://user:secret/@host/", "%2F"),
        ("https://user:se@cret@host/", "several"),
        ("https://host/..;/", "segment"),
    ] {
        let message = BaseUri::parse(text).expect_err(text);
        assert!(message.contains(expected) && !message.contains("secret"), "{text}: {message}");
    }
    // Other domains that end with the same letters.
    for text in ["http://evilwechatpay.cn/", "http://wechatpay.cn.example/", "http://127.0.0.1:80/"] {
        assert!(BaseUri::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn only_illegal_characters_of_a_text_are_encoded() {
    assert_eq!(encode_query("a=b&c=%E4%b8&d=中 \"[]"), "a=b&c=%E4%b8&d=%E4%B8%AD%20%22%5B%5D");
    assert_eq!(encode_query("100%&x=%zz&y=%4"), "100%25&x=%25zz&y=%254");
    assert_eq!(encode_query("?a=b"), "?a=b");
    assert_eq!(encode_query("a\r\nb"), "a%0D%0Ab");
}

#[test]
fn join_rejects_dot_segments_below_each_base() {
    for prefix in ["/", "/hk/", "/a/b/"] {
        let base = format!("https://api.mch.weixin.qq.com{prefix}");
        for reference in ["..", ".", "../x", "./x", "x/..", "x/.", "/..", "/hk/../x", "x/%2e%2e/y", "%2E", "..?a=b"] {
            assert!(joined(&base, reference, None).contains("segment"), "{base} {reference}");
            let absolute = format!("https://apihk.mch.weixin.qq.com/{reference}");
            assert!(joined(&base, &absolute, None).contains("segment"), "{absolute}");
        }
        for reference in ["...", "x..", ".x", "x?a=/../b", "x?a=.."] {
            assert!(joined(&base, reference, None).starts_with(&base), "{base} {reference}");
        }
    }
}
