//! The sandbox as a proxy for the hosts of the service: what a request to a proxy is for.
//!
//! An SDK whose addresses are built in needs only `HTTPS_PROXY` and the sandbox's root. Its
//! connections to the service are answered by the sandbox itself, with the certificate of the
//! service's host. Connections to other hosts are refused, unless they are allowed.

use std::sync::Arc;

use http::{Method, Request};

use super::delivery::is_loopback;
use super::merchant::SERVICE_HOSTS;

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// The sandbox itself.
    Sandbox,
    /// `CONNECT` to a host of the service.
    Service(String),
    /// A request to a host of the service in absolute form, without `CONNECT`. Some HTTP libraries
    /// send such requests to a proxy.
    ServiceInClear(String),
    /// `CONNECT` to another host that is allowed: its address.
    Tunnel(String),
    /// Another host.
    Refused(String),
}

/// The destination of a request that arrived without TLS. `allowed` are the other hosts that may be
/// reached.
pub(super) fn destination<B>(request: &Request<B>, allowed: &[String]) -> Destination {
    let Some(authority) = request.uri().authority() else { return Destination::Sandbox };
    let host = authority.host().to_ascii_lowercase();
    let is_service = SERVICE_HOSTS.contains(&host.as_str());
    if request.method() == Method::CONNECT {
        let port = authority.port_u16().unwrap_or(443);
        return match () {
            () if is_service && port == 443 => Destination::Service(host),
            () if is_loopback(&host) || allowed.contains(&host) => Destination::Tunnel(format!("{host}:{port}")),
            () => Destination::Refused(host),
        };
    }
    match () {
        () if is_service => Destination::ServiceInClear(host),
        () if is_loopback(&host) => Destination::Sandbox,
        () => Destination::Refused(host),
    }
}

/// The URI under which a client reaches a host of the service.
pub(super) fn base_uri(host: &str) -> Arc<str> {
    format!("https://{host}/").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_the_service_and_allowed_ones_are_reached() {
        let allowed = ["registry.example".to_owned()];
        let of = |method: &str, uri: &str| {
            destination(&Request::builder().method(method).uri(uri).body(()).expect("request"), &allowed)
        };
        let refused = |host: &str| Destination::Refused(host.to_owned());
        for (method, uri, expected) in [
            ("GET", "/v3/certificates", Destination::Sandbox),
            ("CONNECT", "api.mch.weixin.qq.com:443", Destination::Service("api.mch.weixin.qq.com".to_owned())),
            ("CONNECT", "API2.WechatPay.cn:443", Destination::Service("api2.wechatpay.cn".to_owned())),
            ("CONNECT", "api.mch.weixin.qq.com:22", refused("api.mch.weixin.qq.com")),
            ("CONNECT", "api.mch.weixin.qq.com.example:443", refused("api.mch.weixin.qq.com.example")),
            ("CONNECT", "registry.example:443", Destination::Tunnel("registry.example:443".to_owned())),
            ("CONNECT", "127.0.0.1:9", Destination::Tunnel("127.0.0.1:9".to_owned())),
            ("CONNECT", "other.example:443", refused("other.example")),
            (
                "POST",
                "https://api.mch.weixin.qq.com/v3/x",
                Destination::ServiceInClear("api.mch.weixin.qq.com".to_owned()),
            ),
            ("GET", "http://127.0.0.1:8090/v3/x", Destination::Sandbox),
            ("GET", "http://other.example/", refused("other.example")),
        ] {
            assert_eq!(of(method, uri), expected, "{method} {uri}");
        }
    }

    #[test]
    fn the_hosts_of_the_catalogue_are_hosts_of_the_service() {
        for call in crate::catalog::Catalog::builtin().calls() {
            let Some(base_uri) = call.base_uri() else { continue };
            let uri: http::Uri = base_uri.parse().expect("a URI");
            assert!(SERVICE_HOSTS.contains(&uri.host().expect("a host")), "{base_uri}");
        }
    }
}
