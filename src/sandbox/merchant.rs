//! The sandbox's merchant, the IDs of the platform's keys, and the hosts of the service.

/// The ID of the sandbox's merchant.
pub const MCHID: &str = "1900000109";
/// The serial number of the merchant's certificate in a sandbox without a data folder. Each data
/// folder has its own, which [`settings`](super::Sandbox::settings) contains.
pub const SERIAL: &str = "3775B6A45ACD588826D15E583A95F5DDC0FFEE00";
/// The ID of the platform's public key.
pub const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0119000001092026010100000000000000";

/// The ID of a platform key that no client has.
pub(super) const UNKNOWN_KEY_ID: &str = "PUB_KEY_ID_0000000000000000000000000000000000";
/// The openid of the buyer where a request names none.
pub(super) const BUYER_OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";

/// The hosts of the service. The server's certificate names them.
pub(super) const SERVICE_HOSTS: [&str; 8] = [
    "api.mch.weixin.qq.com",
    "api2.mch.weixin.qq.com",
    "api2.wechatpay.cn",
    "api.wechatpay.cn",
    "apihk.mch.weixin.qq.com",
    "apius.mch.weixin.qq.com",
    "fraud.mch.weixin.qq.com",
    "payapp.weixin.qq.com",
];
